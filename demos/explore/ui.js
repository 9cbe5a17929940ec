// What both explorers need of a page: canvases, sliders, dragging.
"use strict";

function byId(id) {
  return document.getElementById(id);
}

/** A colour of the style sheet, which differs in the dark. */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function rgb(hex) {
  const digits = hex.length === 4 ? [...hex.slice(1)].map((digit) => digit + digit) : hex.slice(1).match(/../g);
  return digits.map((pair) => parseInt(pair, 16));
}

/** (1 − part) p + part q. */
function blend(p, q, part) {
  return p.map((value, i) => (1 - part) * value + part * q[i]);
}

/** An emptied canvas, as fine as the screen: its context and its size, both in CSS pixels. */
function emptied(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const fine = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * fine);
  canvas.height = Math.round(height * fine);
  const context = canvas.getContext("2d");
  context.scale(fine, fine);
  context.fillStyle = colour("paper");
  context.fillRect(0, 0, width, height);
  return { context, width, height };
}

/** An image of grey values, row by row, from paper at 0 to ink at `top`: a canvas to be drawn from. */
function image(values, columns, top) {
  const small = document.createElement("canvas");
  small.width = columns;
  small.height = values.length / columns;
  const pixels = new ImageData(small.width, small.height);
  const [paper, ink] = [rgb(colour("paper")), rgb(colour("ink"))];
  values.forEach((value, i) => {
    pixels.data.set([...blend(paper, ink, Math.min(value / top, 1)), 255], 4 * i);
  });
  small.getContext("2d").putImageData(pixels, 0, 0);
  return small;
}

/** Draw an image enlarged, with sharp pixels. */
function enlarge(context, small, left, top, width, height) {
  context.imageSmoothingEnabled = false;
  context.drawImage(small, left, top, width, height);
}

/** A line through points, each [x, y] in pixels. */
function stroke(context, points, style, width = 1, dashes = []) {
  context.strokeStyle = style;
  context.lineWidth = width;
  context.setLineDash(dashes);
  context.beginPath();
  points.forEach(([x, y]) => context.lineTo(x, y));
  context.stroke();
  context.setLineDash([]);
}

/** A ring, and a name beside it. */
function ring(context, [x, y], style, name = "", radius = 6) {
  for (const [colours, width] of [[colour("paper"), 5], [style, 2.5]]) {
    context.strokeStyle = colours;
    context.lineWidth = width;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
  }
  context.font = "bold 15px system-ui, sans-serif";
  context.lineWidth = 4;
  context.strokeStyle = colour("paper");
  context.strokeText(name, x + 10, y - 8);
  context.fillStyle = style;
  context.fillText(name, x + 10, y - 8);
}

/** Number with two decimals, and a true minus sign. */
function tidy(value) {
  return value.toFixed(2).replace("-", "−");
}

/** Listen to a slider; returns a function that moves it, and shows its value, without calling `changed`. */
function slider(id, changed, show = tidy) {
  const input = byId(id);
  const output = document.querySelector(`output[for="${id}"]`);
  input.addEventListener("input", () => changed(Number(input.value)));
  return (value) => {
    input.value = value;
    output.value = show(Number(value));
  };
}

/** Drag on a canvas, by mouse, finger or pen, or press arrow keys there.
 *
 *  moved([u, v], begins): the place as parts of the width from the left, and of the height from the top.
 *  stepped([dx, dy], far): one arrow key, to the right and upwards; far with shift.
 */
function steerable(canvas, moved, stepped) {
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const inside = (value) => Math.min(Math.max(value, 0), 1);
    return [inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    moved(place(event), true);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) moved(place(event), false);
  });
  canvas.addEventListener("keydown", (event) => {
    if (!(event.key in arrows)) return;
    event.preventDefault(); // the page would scroll
    stepped(arrows[event.key], event.shiftKey);
  });
}

/** A point after an arrow key: a twentieth further, or with shift a half. */
function nudged(point, direction, far) {
  return point.map((value, axis) => value + direction[axis] * (far ? 0.5 : 0.05));
}

/** Call `draw` once before the next picture of the screen, however often it is asked for; also when the width or the
 *  colours change. Returns the function that asks. */
function redrawn(draw) {
  let asked = false;
  const ask = () => {
    if (!asked) {
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        draw();
      });
    }
  };
  window.addEventListener("resize", ask);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", ask);
  ask();
  return ask;
}
