// The table of contents follows the reader: the section that is read is marked in it.
"use strict";

(() => {
  const READ = 0.35; // of the window's height: a section whose head is above it is being read

  const contents = document.querySelector("nav.contents");
  const links = [...(contents?.querySelectorAll("a") ?? [])];
  const sections = links.map((link) => document.getElementById(link.hash.slice(1)));
  let current = null;

  // The last section whose head has been passed; at the end of the page, the last one.
  function reading() {
    const isAtEnd = scrollY > 0 && innerHeight + scrollY >= document.body.scrollHeight - 2;
    if (isAtEnd) return links.length - 1;
    const line = READ * innerHeight;
    return sections.findLastIndex((section) => section.getBoundingClientRect().top <= line);
  }

  function follow() {
    const link = links[reading()] ?? null;
    if (link === current) return;
    current?.removeAttribute("aria-current");
    link?.setAttribute("aria-current", "location");
    current = link;
    if (link) contents.scrollLeft = link.offsetLeft - contents.clientWidth / 2; // on a phone
  }

  if (links.length) {
    addEventListener("scroll", () => requestAnimationFrame(follow), { passive: true });
    addEventListener("resize", follow);
    follow();
  }
})();
