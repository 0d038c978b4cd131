import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { modelItem, readModels, type InstalledModel } from '../models';

const SHIPPED: InstalledModel = {
  name: 'shipped',
  family: 'codefill',
  parameters: 12_340_000,
  bytes: 25_400_000,
  in_use: true,
  problem: '',
};

describe('readModels', () => {
  it('reads what the command line prints', () => {
    const other = { ...SHIPPED, name: 'mine', in_use: false, folder: '/models/mine' };
    const printed = JSON.stringify([SHIPPED, other]);
    assert.deepEqual(readModels(printed), [SHIPPED, other]);
    assert.deepEqual(readModels(`a warning\n${printed}\nanother`), [SHIPPED, other]);
  });

  it('takes nothing else for a list', () => {
    const partly = JSON.stringify([{ name: 'mine', in_use: true }]);
    for (const output of ['', 'No such option: --json', '{}', '[', '[null]', partly]) {
      assert.equal(readModels(output), undefined);
    }
  });
});

describe('modelItem', () => {
  it('says what a model is, and which is in use', () => {
    assert.deepEqual(modelItem(SHIPPED), {
      label: 'shipped',
      description: 'in use',
      detail: 'codefill, 12.3M parameters, 25 MB',
    });
    assert.equal(modelItem({ ...SHIPPED, in_use: false }).description, '');
  });

  it('says why a model cannot be used before anything else', () => {
    const problem = 'the folder of mine is gone';
    assert.equal(modelItem({ ...SHIPPED, problem }).detail, problem);
  });
});
