// Asks for something again and again while the page is seen, and says when nobody answers.
"use strict";

const SHARE = 0.1; // of the time that answers take at most: what learns beside them comes first

// `ask` returns whether to go on.
function poll(ask, seconds) {
  const lost = document.querySelector("#lost");
  let timer = null;
  let isAsking = false;
  let goesOn = true;

  async function turn() {
    clearTimeout(timer);
    if (isAsking || !goesOn || document.hidden) return;
    isAsking = true;
    const asked = performance.now();
    try {
      goesOn = await ask();
      lost.hidden = true;
    } catch (error) {
      lost.textContent = `This page is no longer followed: ${error.message}. It is tried again.`;
      lost.hidden = false;
    }
    isAsking = false;
    timer = setTimeout(turn, Math.max(1000 * seconds, (performance.now() - asked) / SHARE));
  }

  document.addEventListener("visibilitychange", turn);
  turn();
}

// The answer to a request; what is no answer is an error with its reason.
async function request(address) {
  let answer;
  try {
    answer = await fetch(address);
  } catch {
    throw new Error("the dashboard does not answer");
  }
  if (!answer.ok) throw new Error(`the answer is error ${answer.status}; reload to see why`);
  return answer;
}
