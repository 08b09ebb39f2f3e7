// Asks for something repeatedly while the page is visible, and says when there is no answer.
"use strict";

const SHARE = 0.1; // of the time, at most, is spent on answers: the sessions come first

// `ask` returns whether to continue.
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
      lost.textContent = `This page is not up to date: ${error.message}. It will try again.`;
      lost.hidden = false;
    }
    isAsking = false;
    timer = setTimeout(turn, Math.max(1000 * seconds, (performance.now() - asked) / SHARE));
  }

  document.addEventListener("visibilitychange", turn);
  turn();
}

// The answer to a request; without one, an error with the reason.
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
