// The page's first part: a point in the plane of codes, and what the decoder makes of it.
"use strict";

function exploreVae(json, { points, labels }) {
  const vae = readVae(json);
  const { side, levels } = vae;
  const [reach, tiles, across] = [3, 15, 13];
  // tab10 of matplotlib, the colours of the classes in all pictures of the demos
  const classes = "#1f77b4 #ff7f0e #2ca02c #d62728 #9467bd #8c564b #e377c2 #7f7f7f #bcbd22 #17becf".split(" ");
  const random = uniforms(0);
  const newNoise = () => Array.from({ length: side * side }, random);
  let z = [0, 0];
  let noise = newNoise(); // is kept while z moves: then all that changes is what z does
  let pixel = 3 * side + 3;

  const tile = side + 2; // an image within a margin
  /** The means of p(x | z) of tiles × tiles codes as one image, row by row: z₁ grows to the right, z₂ upwards. */
  function allTiles() {
    const middle = (i) => reach * (((i + 0.5) * 2) / tiles - 1);
    const values = new Array((tiles * tile) ** 2).fill(0);
    for (let row = 0; row < tiles; row++) {
      for (let column = 0; column < tiles; column++) {
        decode([middle(column), -middle(row)], vae).forEach((probabilities, j) => {
          const [y, x] = [row * tile + 1 + Math.floor(j / side), column * tile + 1 + (j % side)];
          values[y * tiles * tile + x] = mean(probabilities);
        });
      }
    }
    return values;
  }
  const manifold = allTiles();

  function drawPlane() {
    const { context, width, height } = emptied(byId("plane"));
    const toPixels = ([x, y]) => [((x / reach + 1) / 2) * width, ((1 - y / reach) / 2) * height];
    if (byId("show-manifold").checked) {
      context.globalAlpha = byId("show-codes").checked ? 0.3 : 1;
      enlarge(context, image(manifold, tiles * tile, levels - 1), 0, 0, width, height);
      context.globalAlpha = 1;
    }
    if (byId("show-codes").checked) {
      context.font = "bold 11px system-ui, sans-serif";
      context.textAlign = "center";
      context.textBaseline = "middle";
      const clear = classes.map((hex) => blend(rgb(hex), rgb(colour("ink")), 0.25)); // on white, and in the dark
      points.forEach((point, i) => {
        context.fillStyle = `rgb(${clear[labels[i]]})`;
        context.fillText(labels[i], ...toPixels(point));
      });
    }
    const [x, y] = toPixels(z);
    stroke(context, [[x, 0], [x, height]], colour("mark"));
    stroke(context, [[0, y], [width, y]], colour("mark"));
    ring(context, [x, y], colour("mark"));
  }

  function drawPixels(id, values) {
    const { context, width, height } = emptied(byId(id));
    enlarge(context, image(values, side, levels - 1), 0, 0, width, height);
    const size = width / side;
    context.strokeStyle = colour("mark");
    context.lineWidth = 2.5;
    context.strokeRect((pixel % side) * size, Math.floor(pixel / side) * size, size, size);
  }

  function drawLevels(probabilities, drawn) {
    const { context, width, height } = emptied(byId("levels"));
    const step = width / levels;
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "center";
    probabilities.forEach((p, level) => {
      context.fillStyle = level === drawn ? colour("mark") : colour("accent");
      const tall = p * (height - 22);
      context.fillRect(level * step + 1, height - 16 - tall, step - 2, tall);
      context.fillStyle = colour("text");
      context.fillText(level, (level + 0.5) * step, height - 4);
    });
    byId("levels-status").textContent =
      `The pixel in row ${Math.floor(pixel / side) + 1}, column ${(pixel % side) + 1}: the probabilities of its ` +
      `17 grey levels, mean ${tidy(mean(probabilities))}; drawn (red): ${drawn}.`;
  }

  function drawAlong() {
    const { context, width, height } = emptied(byId("along"));
    const value = (column) => reach * ((2 * column) / (across - 1) - 1);
    const [step, tall] = [width / across, height / 2];
    for (let column = 0; column < across; column++) {
      [[value(column), z[1]], [z[0], value(column)]].forEach((code, row) => {
        const digit = image(decode(code, vae).map(mean), side, levels - 1);
        enlarge(context, digit, column * step + 2, row * tall + 2, step - 4, tall - 4);
      });
    }
  }

  /** What the test digits nearest to z are, in words. */
  function tellNeighbours() {
    const distance = points.map(([x, y]) => (x - z[0]) ** 2 + (y - z[1]) ** 2);
    const nearest = labels.map((_, i) => i).sort((i, j) => distance[i] - distance[j]).slice(0, 15);
    const counts = new Array(10).fill(0);
    nearest.forEach((i) => counts[labels[i]]++);
    const most = Math.max(...counts);
    byId("vae-status").textContent =
      `z = (${tidy(z[0])}, ${tidy(z[1])}): of the 15 nearest test digits, ${most} are a ${counts.indexOf(most)}.`;
  }

  const show = redrawn(() => {
    const pixels = decode(z, vae);
    const drawn = pixels.map((probabilities, j) => draw(probabilities, noise[j]));
    drawPlane();
    drawPixels("mean", pixels.map(mean));
    drawPixels("draw", drawn);
    drawLevels(pixels[pixel], drawn[pixel]);
    drawAlong();
    tellNeighbours();
  });

  // -- what can be moved -----------------------------------------------------------------------------------------

  const setSliders = [0, 1].map((axis) =>
    slider(`z${axis + 1}`, (value) => move(axis === 0 ? [value, z[1]] : [z[0], value])),
  );

  function move(to) {
    z = to.map((value) => Math.min(Math.max(value, -reach), reach));
    z.forEach((value, axis) => setSliders[axis](value));
    show();
  }

  function choose(row, column) {
    pixel = Math.min(Math.max(row, 0), side - 1) * side + Math.min(Math.max(column, 0), side - 1);
    show();
  }

  steerable(
    byId("plane"),
    ([u, v]) => move([reach * (2 * u - 1), reach * (1 - 2 * v)]),
    (direction, far) => move(nudged(z, direction, far)),
  );
  steerable(
    byId("mean"),
    ([u, v]) => choose(Math.floor(v * side), Math.floor(u * side)),
    ([dx, dy]) => choose(Math.floor(pixel / side) - dy, (pixel % side) + dx),
  );
  byId("new-z").addEventListener("click", () => move(normalPair(random)));
  byId("new-x").addEventListener("click", () => {
    noise = newNoise();
    show();
  });
  for (const id of ["show-manifold", "show-codes"]) byId(id).addEventListener("change", show);
  move([0, 0]);
}
