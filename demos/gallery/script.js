"use strict";
// What the page can do beyond showing: enlarge pictures, play animations, copy commands. Without it, all is still there.

const dialog = document.getElementById("large");
const pane = dialog.querySelector(".scroll");

// As large as the window, or at least in full size, in a dialog that Escape, a tap or Close ends.
function enlarge(figure) {
  const picture = figure.querySelector("canvas") || figure.querySelector("img");
  const copy = picture.cloneNode();
  const natural = { width: Number(copy.getAttribute("width")), height: Number(copy.getAttribute("height")) };
  pane.replaceChildren(copy);
  document.getElementById("large-title").textContent = figure.querySelector(".unseen").textContent.slice(2);
  dialog.showModal();
  const scale = Math.min(pane.clientWidth / natural.width, pane.clientHeight / natural.height);
  copy.style.width = Math.max(1, scale) * natural.width + "px";
  pane.scrollTo(0, 0);
  if (picture.tagName === "CANVAS") {
    const follow = () => {
      copy.getContext("2d").drawImage(picture, 0, 0);
      if (dialog.open) requestAnimationFrame(follow);
    };
    follow();
  }
}

for (const button of document.querySelectorAll(".enlarge")) {
  const figure = button.closest("figure");
  button.addEventListener("click", () => enlarge(figure));
  figure.addEventListener("click", (event) => {
    if (event.target.matches("img, canvas")) enlarge(figure);
  });
}
pane.addEventListener("click", () => dialog.close());

// An animation is a GIF, which a page can neither halt nor wind back. So it is cut into its frames, each a GIF of one
// image, and they are painted one over the other as the GIF asks for: a frame holds only what changed since the last.
// https://www.w3.org/Graphics/GIF/spec-gif89a.txt, sections 17 to 27
function framesOf(bytes) {
  const colours = (flags) => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0); // bytes of a table of colours
  const afterBlocks = (at) => {
    while (bytes[at]) at += bytes[at] + 1; // each block tells its length; one of length 0 is the last
    return at + 1;
  };
  let at = 13 + colours(bytes[10]);
  const head = bytes.slice(0, at);
  const frames = [];
  let control = new Uint8Array();
  while (at < bytes.length && bytes[at] !== 0x3b) {
    const start = at;
    const isImage = bytes[at] === 0x2c;
    const isControl = bytes[at] === 0x21 && bytes[at + 1] === 0xf9;
    at = afterBlocks(isImage ? at + 11 + colours(bytes[at + 9]) : at + 2);
    if (isControl) control = bytes.slice(start, at);
    if (isImage) {
      const file = new Blob([head, control, bytes.slice(start, at), new Uint8Array([0x3b])], { type: "image/gif" });
      const hundredths = control.length ? control[4] + 256 * control[5] : 10;
      frames.push({ file, milliseconds: 10 * hundredths });
    }
  }
  return frames;
}

async function play(player) {
  const image = player.querySelector("img");
  const bytes = Uint8Array.from(atob(image.src.split(",")[1]), (letter) => letter.charCodeAt(0));
  const frames = framesOf(bytes);
  const images = await Promise.all(frames.map((frame) => createImageBitmap(frame.file)));

  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [images[0].width, images[0].height];
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", image.alt);
  const context = canvas.getContext("2d");
  let now = -1;
  let timer = 0;
  let visible = true;

  const button = document.createElement("button");
  button.type = "button";
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min: 0, max: frames.length - 1, value: 0 });
  slider.setAttribute("aria-label", "Frame of the animation");
  const controls = document.createElement("div");
  controls.className = "controls";
  controls.append(button, slider, player.parentElement.querySelector(".enlarge"));

  function paint(frame) {
    for (let i = frame < now ? 0 : now + 1; i <= frame; i++) context.drawImage(images[i], 0, 0);
    now = frame;
    slider.value = frame;
  }
  function run(running) {
    clearTimeout(timer);
    player.dataset.playing = running;
    button.textContent = running ? "Pause" : "Play";
    if (running) timer = setTimeout(step, frames[now].milliseconds);
  }
  function step() {
    if (visible) paint((now + 1) % frames.length);
    timer = setTimeout(step, frames[now].milliseconds);
  }
  button.addEventListener("click", () => run(player.dataset.playing !== "true"));
  slider.addEventListener("input", () => { run(false); paint(slider.valueAsNumber); });
  new IntersectionObserver(([entry]) => { visible = entry.isIntersecting; }).observe(canvas);

  image.replaceWith(canvas, controls);
  // Who asked for less motion gets the last frame, and plays it when they choose to.
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  paint(still ? frames.length - 1 : 0);
  run(!still);
}
document.querySelectorAll(".player").forEach((player) => play(player));

const status = document.getElementById("status");
for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", async () => {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      status.textContent = "copied: " + code.textContent;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    } catch { // the browser forbids it: the command is selected instead, to be copied by hand
      getSelection().selectAllChildren(code);
      status.textContent = "the command is selected";
    }
  });
}
