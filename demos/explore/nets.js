// The two models in plain JavaScript: what views.py computes of them, from the weights that export.py wrote.
//
//     y_j = Σ_i x_i W_ij + b_j                                               a dense layer                      (1)
//     tanh after every layer but the last                                    a network                          (2)
//     softmax(a)_l = e^{a_l} / Σ_k e^{a_k}                                   probabilities of the 17 levels     (3)
//     mean = Σ_l l p_l;   draw = how many l have p_0 + … + p_l ≤ u           a pixel                            (4)
//     x = b + z e^a,   a = s tanh(α/s),   (b, α) = net(what passes)          a coupling, from noise to data     (5)
//     log p(x) = log N(z; 0, I) − Σ log |det ∂x/∂z|                          the density of a flow              (6)
//
// A vector is an array of numbers, a matrix an array of its rows. Nothing here knows of the page.
"use strict";

/** The weights as numbers: JSON has them as whole ones, in units of 10^−digits. */
function scaled(whole, digits) {
  return Array.isArray(whole) ? whole.map((part) => scaled(part, digits)) : whole / 10 ** digits;
}

function readNet(layers, digits) {
  return layers.map(({ W, b }) => ({ W: scaled(W, digits), b: scaled(b, digits) }));
}

function readVae(json) {
  return { ...json, decoder: readNet(json.decoder, json.digits) };
}

function readFlow({ actnorm, couplings, digits }) {
  return {
    actnorm: { loc: scaled(actnorm.loc, digits), logScale: scaled(actnorm.log_scale, digits) },
    couplings: couplings.map((coupling) => ({ ...coupling, net: readNet(coupling.net, digits) })),
  };
}

// -- networks ----------------------------------------------------------------------------------------------------

/** (1): x (n_in) → y (n_out). */
function dense(x, { W, b }) {
  const y = b.slice();
  for (let i = 0; i < x.length; i++) for (let j = 0; j < y.length; j++) y[j] += x[i] * W[i][j];
  return y;
}

/** (2): x (n_in) → (n_out). */
function network(x, layers) {
  let h = x;
  layers.forEach((layer, i) => {
    h = dense(h, layer);
    if (i < layers.length - 1) h = h.map(Math.tanh);
  });
  return h;
}

/** (3): numbers → probabilities. The greatest number is subtracted first: no power overflows, and the ratio stays. */
function softmax(a) {
  const top = Math.max(...a);
  const powers = a.map((value) => Math.exp(value - top));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

// -- the VAE -----------------------------------------------------------------------------------------------------

/** p(x_j = l | z) for a code z: an array of 64 pixels, row by row, each with 17 probabilities. */
function decode(z, { decoder, levels }) {
  const logits = network(z, decoder);
  const pixels = [];
  for (let start = 0; start < logits.length; start += levels) {
    pixels.push(softmax(logits.slice(start, start + levels)));
  }
  return pixels;
}

/** (4), from 0 to 16. */
function mean(probabilities) {
  return probabilities.reduce((sum, p, level) => sum + level * p, 0);
}

/** (4): a whole number, from a uniform one. */
function draw(probabilities, u) {
  let below = 0;
  for (let level = 0; level < probabilities.length - 1; level++) {
    below += probabilities[level];
    if (u < below) return level;
  }
  return probabilities.length - 1;
}

// -- the flow ----------------------------------------------------------------------------------------------------

/** (5): one coordinate passes, the other is stretched and shifted. Gives the point and log |det ∂x/∂z|. */
function coupled(z, { passes, most, net }) {
  const [b, alpha] = network([z[passes]], net);
  const a = most * Math.tanh(alpha / most);
  const x = z.slice();
  x[1 - passes] = b + z[1 - passes] * Math.exp(a);
  return { x, logDet: a };
}

/** A point of noise and what becomes of it after each layer, the last is data; and log p of that (6). */
function throughFlow(z, { actnorm, couplings }) {
  const places = [z];
  let logDet = 0;
  for (const coupling of couplings.slice().reverse()) {
    const step = coupled(places[places.length - 1], coupling);
    places.push(step.x);
    logDet += step.logDet;
  }
  const last = places[places.length - 1];
  places.push(last.map((value, i) => actnorm.loc[i] + value * Math.exp(actnorm.logScale[i])));
  logDet += actnorm.logScale[0] + actnorm.logScale[1];
  return { places, logProb: -0.5 * (z[0] ** 2 + z[1] ** 2) - Math.log(2 * Math.PI) - logDet };
}

/** The true log p(x) of two moons: bells of width std along two half circles, close enough to be one ridge. */
function moonsLogProb([x, y], std, nodes = 400) {
  const exponents = [];
  for (let i = 0; i < nodes; i++) {
    const t = (Math.PI * (i + 0.5)) / nodes;
    const [c, s] = [Math.cos(t), Math.sin(t)];
    exponents.push(-((x - c) ** 2 + (y - s) ** 2) / (2 * std ** 2));
    exponents.push(-((x - 1 + c) ** 2 + (y - 0.5 + s) ** 2) / (2 * std ** 2));
  }
  const top = Math.max(...exponents);
  const total = exponents.reduce((sum, exponent) => sum + Math.exp(exponent - top), 0);
  return top + Math.log(total / (2 * nodes)) - Math.log(2 * Math.PI * std ** 2);
}

// -- random numbers ----------------------------------------------------------------------------------------------

/** Uniform numbers in [0, 1), the same ones for the same seed (T. Ettinger's Mulberry32). */
function uniforms(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Two independent numbers from N(0, 1), of two uniform ones (Box and Muller, 1958). */
function normalPair(uniform) {
  const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
  const angle = 2 * Math.PI * uniform();
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}
