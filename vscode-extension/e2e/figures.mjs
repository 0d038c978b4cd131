// What is worked out of what was measured: plain values, no window in sight.

/** Random numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomness(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The smallest value that a share of all values does not exceed. Throws without values. */
export function quantile(values, share) {
  if (values.length === 0) {
    throw new Error('no values were measured');
  }
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

/**
 * The difference of the 95th percentiles, with its 95 % interval: blocks are drawn again.
 *
 * `blocks` holds pairs of lists, the values with and without.
 */
export function differenceOfP95(blocks, { draws = 2000, seed = 1 } = {}) {
  const random = randomness(seed);
  const of = (chosen) =>
    quantile(
      chosen.flatMap(([having]) => having),
      0.95,
    ) -
    quantile(
      chosen.flatMap(([, lacking]) => lacking),
      0.95,
    );
  const drawn = Array.from({ length: draws }, () =>
    of(blocks.map(() => blocks[Math.floor(random() * blocks.length)])),
  );
  return {
    difference: of(blocks),
    interval: [quantile(drawn, 0.025), quantile(drawn, 0.975)],
  };
}

/** The codes of the table in the user guide that says why nothing was suggested. */
export function documentedReasons(guide) {
  const [, section = ''] = guide.split('\n## Why nothing?\n');
  const [table] = section.split('\n## ');
  return new Set([...table.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, code]) => code));
}

/**
 * How the requests of a recording (recorder.mjs) ended, for each feature.
 *
 * A request that the editor took back ended as `cancelled`. `unexplained` lists those that ended
 * with nothing and no reason, with a reason that is not documented, with an error, or not at all.
 */
export function outcomes(entries, documented) {
  return Object.fromEntries(
    ['popup', 'ghost'].map((feature) => [
      feature,
      outcomesOf(
        entries.filter((entry) => entry.feature === feature),
        documented,
      ),
    ]),
  );
}

function outcomesOf(entries, documented) {
  const open = new Map();
  const found = { requests: 0, answered: 0, reasons: {}, unexplained: [] };
  let told = [];
  const end = ({ id, items, error }) => {
    const takenBack = open.get(id)?.cancelled && error !== undefined;
    open.delete(id);
    if (items > 0) {
      found.answered += 1;
      return;
    }
    const code = takenBack ? 'cancelled' : error === undefined ? told.shift() : `error ${error}`;
    if (code === undefined || !documented.has(code)) {
      found.unexplained.push(code ?? 'no reason');
    } else {
      found.reasons[code] = (found.reasons[code] ?? 0) + 1;
    }
  };
  for (const entry of entries) {
    if (entry.kind === 'asked') {
      found.requests += 1;
      open.set(entry.id, { cancelled: false });
    } else if (entry.kind === 'cancelled') {
      open.set(entry.id, { cancelled: true });
    } else if (entry.kind === 'reason') {
      told.push(entry.code);
    } else {
      end(entry);
      // Several reasons may be told for one request: none is left for the next one.
      told = open.size === 0 ? [] : told;
    }
  }
  found.unexplained.push(...[...open.keys()].map(() => 'no answer'));
  return found;
}

const NO_MODEL = new Set(['superseded', 'cancelled']);

/**
 * Whether the model wrote or was asked in vain between two times (ms since the epoch).
 *
 * Ghost text keeps its number while it is typed through; another number is another text.
 */
export function askedModel(entries, from, to) {
  const known = new Set();
  for (const entry of entries.filter(({ feature }) => feature === 'ghost')) {
    const within = entry.at >= from && entry.at <= to;
    if (entry.kind === 'answered' && entry.items > 0) {
      if (within && !known.has(entry.number)) {
        return true;
      }
      known.add(entry.number);
    }
    if (within && entry.kind === 'reason' && !NO_MODEL.has(entry.code)) {
      return true;
    }
  }
  return false;
}

/** How long answers took, in ms, that gave a number again: from memory, without the model. */
export function rememberedMs(entries) {
  const asked = new Map();
  const known = new Set();
  const times = [];
  for (const { kind, feature, id, at, items, number } of entries) {
    if (feature === 'ghost' && kind === 'asked') {
      asked.set(id, at);
    } else if (feature === 'ghost' && kind === 'answered' && items > 0) {
      if (known.has(number)) {
        times.push(at - asked.get(id));
      }
      known.add(number);
    }
  }
  return times;
}
