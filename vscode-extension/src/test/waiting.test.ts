import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { Waiting, type Place } from '../waiting';

const PLACE: Place = { uri: 'file:///a.py', version: 3, line: 4, character: 8 };

function waiting(...codes: string[]): Waiting {
  const made = new Waiting();
  for (const code of codes) {
    made.ended(code, PLACE);
  }
  return made;
}

describe('Waiting', () => {
  it('asks again, once, where the model was being loaded', () => {
    const asked = waiting('model-loading');
    assert.equal(asked.again({ ...PLACE }), true);
    assert.equal(asked.again({ ...PLACE }), false);
  });

  it('does not where the person went on', () => {
    const changes = [{ uri: 'file:///b.py' }, { version: 4 }, { line: 5 }, { character: 9 }];
    for (const change of changes) {
      assert.equal(waiting('model-loading').again({ ...PLACE, ...change }), false);
    }
    assert.equal(waiting('model-loading').again(undefined), false);
  });

  it('does not where it was never asked, or the last request ended otherwise', () => {
    assert.equal(new Waiting().again(PLACE), false);
    assert.equal(waiting('model-loading', 'gated').again(PLACE), false);
    assert.equal(waiting('gated', 'model-loading').again(PLACE), true);
  });
});
