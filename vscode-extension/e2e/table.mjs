// The figures of measure.mjs as a table for people.

/** One line per figure, with the goal where there is one. */
export function table(figures) {
  const rows = [...timeRows(figures), ...shareRows(figures)];
  const width = (column) => Math.max(...rows.map((row) => row[column].length));
  const widths = [width(0), width(1)];
  const line = ([name, value, goal]) =>
    `${name.padEnd(widths[0])}  ${value.padEnd(widths[1])}  ${goal}`.trimEnd();
  return `${rows.map(line).join('\n')}\n`;
}

function timeRows({ activation, keys, pause }) {
  const { difference, interval } = keys.p95;
  const [low, high] = interval.map(ms);
  return [
    ['window reload to first popup, median', ms(activation.reload.p50), ''],
    [
      'activation to first popup, median',
      ms(activation.activation.p50),
      goal(activation.activation.p50 <= 1500, '≤ 1500 ms'),
    ],
    [`key to letter with the extension (${keys.with.count} keys)`, both(keys.with), ''],
    [`key to letter without (${keys.without.count} keys)`, both(keys.without), ''],
    [
      'difference of p95, 95 % interval',
      `${ms(difference)} (${low} to ${high})`,
      goal(difference <= 5, '≤ 5 ms'),
    ],
    [
      `ghost text after a pause (${pause.ghost.count} of ${pause.looked} places)`,
      both(pause.ghost),
      goal(pause.ghost.p50 <= 250 && pause.ghost.p95 <= 500, '≤ 250 / 500 ms'),
    ],
    [
      `answers from memory (${pause.remembered.count})`,
      both(pause.remembered),
      goal(pause.remembered.p95 <= 2, '≤ 2 ms'),
    ],
  ];
}

function shareRows({ pause, requests }) {
  return [
    [
      `typed through without the model (${pause.through} keys)`,
      share(pause.reused, pause.through),
      goal(pause.reused >= 0.95 * pause.through, '≥ 95 %'),
    ],
    ...Object.entries(requests).map(([feature, { requests: all, answered, reasons }]) => [
      `${feature}: answered of ${all} requests`,
      share(answered, all),
      counts(reasons),
    ]),
    [
      'requests without a documented reason',
      String(requests.popup.unexplained.length + requests.ghost.unexplained.length),
      goal(requests.popup.unexplained.concat(requests.ghost.unexplained).length === 0, '0'),
    ],
  ];
}

function ms(value) {
  return `${value.toFixed(1)} ms`;
}

function both({ p50, p95 }) {
  return `p50 ${ms(p50)}, p95 ${ms(p95)}`;
}

function share(part, all) {
  return all === 0 ? 'none' : `${((100 * part) / all).toFixed(1)} %`;
}

function goal(met, text) {
  return `${met ? 'met' : 'MISSED'}: ${text}`;
}

function counts(reasons) {
  const sorted = Object.entries(reasons).sort(([, a], [, b]) => b - a);
  return sorted.map(([code, count]) => `${code} ${count}`).join(', ');
}
