import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import {
  askedModel,
  differenceOfP95,
  documentedReasons,
  outcomes,
  quantile,
  rememberedMs,
} from './figures.mjs';

const asked = (id, at = 0) => ({ kind: 'asked', feature: 'ghost', id, at });
const cancelled = (id) => ({ kind: 'cancelled', feature: 'ghost', id });
const reason = (code, at = 0) => ({ kind: 'reason', feature: 'ghost', code, at });
const empty = (id) => ({ kind: 'answered', feature: 'ghost', id, items: 0 });
const given = (id, number, at = 0) => ({ ...empty(id), items: 1, number, at });
const refused = (id, error) => ({ ...empty(id), error });

describe('quantile', () => {
  it('is a value that was measured', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    assert.equal(quantile(values, 0.5), 50);
    assert.equal(quantile(values, 0.95), 95);
    assert.equal(quantile([7], 0.95), 7);
    assert.throws(() => quantile([], 0.5), /no values/);
  });
});

describe('differenceOfP95', () => {
  it('is the difference over all blocks, within its interval', () => {
    const block = (shift) => Array.from({ length: 40 }, (_, index) => index + shift);
    const blocks = [0, 1, 2, 3, 4, 5].map((shift) => [block(shift + 5), block(shift)]);
    const { difference, interval } = differenceOfP95(blocks);
    assert.equal(difference, 5);
    assert.deepEqual(interval, [5, 5]);
  });

  it('has an interval that grows with what differs between blocks', () => {
    const blocks = [1, 9, 2, 8].map((value) => [[value], [0]]);
    const { interval } = differenceOfP95(blocks);
    assert.ok(interval[0] < interval[1]);
  });
});

describe('documentedReasons', () => {
  it('reads the codes off the guide', () => {
    const guide = new URL('../../docs/user-guide.md', import.meta.url);
    const codes = documentedReasons(readFileSync(guide, 'utf8'));
    assert.ok(codes.has('superseded') && codes.has('not-indexed'));
    assert.ok(!codes.has('full'));
  });
});

describe('outcomes', () => {
  const documented = new Set(['empty', 'gated', 'superseded', 'cancelled']);
  const ghost = (...entries) => outcomes(entries, documented).ghost;

  it('counts what was answered, and the reasons of the rest', () => {
    const found = ghost(asked(1), asked(2), reason('superseded'), empty(1), given(2, 1));
    assert.deepEqual(found, {
      requests: 2,
      answered: 1,
      reasons: { superseded: 1 },
      unexplained: [],
    });
  });

  it('takes what the editor took back for cancelled', () => {
    assert.deepEqual(ghost(asked(1), cancelled(1), refused(1, -32800)).reasons, { cancelled: 1 });
  });

  it('finds a request that ended without a reason, whatever was told before', () => {
    const found = ghost(asked(1), reason('empty'), reason('gated'), empty(1), asked(2), empty(2));
    assert.deepEqual(found.reasons, { empty: 1 });
    assert.deepEqual(found.unexplained, ['no reason']);
  });

  it('finds reasons that are not documented, errors and lost requests', () => {
    const found = ghost(asked(1), reason('odd'), empty(1), asked(2), refused(2, -32603), asked(3));
    assert.deepEqual(found.unexplained, ['odd', 'error -32603', 'no answer']);
  });
});

describe('askedModel', () => {
  const entries = [given(1, 7, 10), given(2, 7, 20), given(3, 8, 30), reason('empty', 40)];

  it('knows a text that was given before by its number', () => {
    assert.equal(askedModel(entries, 15, 25), false);
    assert.equal(askedModel(entries, 25, 35), true);
    assert.equal(askedModel(entries, 5, 15), true);
  });

  it('counts requests in vain, but not those that were overtaken', () => {
    assert.equal(askedModel(entries, 35, 45), true);
    assert.equal(askedModel([reason('superseded', 40)], 35, 45), false);
  });
});

describe('rememberedMs', () => {
  it('times the answers that give a number again', () => {
    const entries = [asked(1, 0), given(1, 7, 100), asked(2, 200), given(2, 7, 201)];
    assert.deepEqual(rememberedMs(entries), [1]);
  });
});
