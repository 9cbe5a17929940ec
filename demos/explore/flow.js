// The page's second part: noise of the plane, and what becomes of it, layer by layer.
"use strict";

function exploreFlow(json, { contour, std }) {
  const flow = readFlow(json);
  const last = flow.couplings.length + 1; // layers: the couplings, and the normalisation
  const [reach, samples] = [3.5, 500];
  const random = uniforms(1);
  const newNoise = () => Array.from({ length: samples }, () => normalPair(random));
  const paths = (line) => line.map((z) => throughFlow(z, flow).places);
  let noise = newNoise();
  let [temperature, layers, t] = [1, last, 0.5];
  const ends = { a: [-1.3, 0.4], b: [1.2, -0.6] };
  let chosen = "a";

  // Circles and rays, as in page11_grid. Where they are after a layer decides what is shown of it.
  const parts = (n) => Array.from({ length: n + 1 }, (_, i) => i / n);
  const onCircle = (radius, turn) => [radius * Math.cos(2 * Math.PI * turn), radius * Math.sin(2 * Math.PI * turn)];
  const circles = [0.5, 1, 1.5, 2, 2.5].map((radius) => parts(240).map((turn) => onCircle(radius, turn)));
  const rays = parts(16).slice(1).map((turn) => parts(80).map((part) => onCircle(2.5 * part, turn)));
  const grid = [...circles, ...rays].map(paths);
  const frames = parts(last).map((_, layer) => {
    const places = grid.flat().map((path) => path[layer]);
    const ranges = [0, 1].map((axis) => {
      const values = places.map((place) => place[axis]);
      return [Math.min(...values), Math.max(...values)];
    });
    const centre = ranges.map(([low, high]) => (low + high) / 2);
    return { centre, half: 0.54 * Math.max(...ranges.map(([low, high]) => high - low)) }; // with a margin
  });

  /** The place of a path after `layers` layers; between two of them on a straight line. */
  function placeAt(path) {
    const layer = Math.min(Math.floor(layers), last - 1);
    return blend(path[layer], path[layer + 1], layers - layer);
  }

  /** What part of the plane is to be seen after `layers` layers: its centre, and half its side. */
  function frameAt() {
    const layer = Math.min(Math.floor(layers), last - 1);
    const [before, after] = [frames[layer], frames[layer + 1]];
    const [half] = blend([before.half], [after.half], layers - layer);
    return { centre: blend(before.centre, after.centre, layers - layer), half };
  }

  /** Lines, samples and the points a, b and z_t on one canvas; `place` takes a path to what is shown of it. */
  function drawPlane(id, { centre, half }, place, lines, cloud, between) {
    const { context, width, height } = emptied(byId(id));
    const toPixels = ([x, y]) => [
      (((x - centre[0]) / half + 1) / 2) * width,
      ((1 - (y - centre[1]) / half) / 2) * height,
    ];
    const shown = (path) => toPixels(place(path));
    lines.forEach((line) => stroke(context, line.map(shown), colour("line")));
    cloud.forEach((path, i) => {
      const angle = (Math.atan2(noise[i][1], noise[i][0]) * 180) / Math.PI;
      context.fillStyle = `hsl(${angle + 180} 75% 50%)`;
      context.beginPath();
      context.arc(...shown(path), 2.2, 0, 2 * Math.PI);
      context.fill();
    });
    stroke(context, between.map(shown), colour("ink"), 2);
    ring(context, shown(between[0]), colour("ink"), "a");
    ring(context, shown(between[between.length - 1]), colour("ink"), "b");
    ring(context, shown(throughFlow(blend(ends.a, ends.b, t), flow).places), colour("mark"));
    return { context, toPixels };
  }

  const show = redrawn(() => {
    const cloud = paths(noise.map((z) => z.map((value) => temperature * value)));
    const between = paths(parts(400).map((part) => blend(ends.a, ends.b, part)));
    drawPlane("noise", { centre: [0, 0], half: reach }, (path) => path[0], grid, cloud, between);
    const { context, toPixels } = drawPlane("data", frameAt(), placeAt, grid, cloud, between);
    if (layers === last) contour.forEach((line) => stroke(context, line.map(toPixels), colour("ink"), 1.5, [5, 4]));
    const z = blend(ends.a, ends.b, t);
    const { places, logProb } = throughFlow(z, flow);
    const text = (point) => `(${point.map(tidy).join(", ")})`;
    byId("flow-status").textContent =
      `z = ${text(z)} becomes x = ${text(places[last])}: log p(x) is ${tidy(logProb)} nats by the flow, ` +
      `in truth ${tidy(moonsLogProb(places[last], std))}.`;
  });

  // -- what can be moved -----------------------------------------------------------------------------------------

  byId("layers").max = last;
  const name = (value) => (value === 0 ? "noise" : value === last ? "data" : `${value} of ${last}`);
  const setLayers = slider("layers", (value) => { layers = value; update(); }, name);
  const setTemperature = slider("temperature", (value) => { temperature = value; update(); });
  const setBetween = slider("between", (value) => { t = value; update(); });
  const setPoint = [0, 1].map((axis) =>
    slider(`p${axis + 1}`, (value) => { ends[chosen][axis] = value; update(); }),
  );

  function update() {
    setLayers(layers);
    setTemperature(temperature);
    setBetween(t);
    ends[chosen].forEach((value, axis) => setPoint[axis](value));
    document.querySelector(`input[name="point"][value="${chosen}"]`).checked = true;
    show();
  }

  function moveChosen(to) {
    ends[chosen] = to.map((value) => Math.min(Math.max(value, -3), 3));
    update();
  }

  steerable(
    byId("noise"),
    ([u, v], begins) => {
      const to = [reach * (2 * u - 1), reach * (1 - 2 * v)];
      const distance = (end) => Math.hypot(end[0] - to[0], end[1] - to[1]);
      if (begins) chosen = distance(ends.a) < distance(ends.b) ? "a" : "b";
      moveChosen(to);
    },
    (direction, far) => moveChosen(nudged(ends[chosen], direction, far)),
  );
  for (const radio of document.querySelectorAll('input[name="point"]')) {
    radio.addEventListener("change", () => { chosen = radio.value; update(); });
  }
  byId("new-noise").addEventListener("click", () => { noise = newNoise(); update(); });
  update();
}

const models = JSON.parse(byId("models").textContent);
exploreVae(models.vae, models.codes);
exploreFlow(models.flow, models.truth);
