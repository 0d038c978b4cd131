import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';

import { HOUR, Pauses } from '../pause';

describe('Pauses', () => {
  let now = 0;
  let pauses = new Pauses(() => now);

  beforeEach(() => {
    now = 1_000_000;
    pauses = new Pauses(() => now);
  });

  it('pauses nothing at first', () => {
    assert.equal(pauses.of('file:///a.py'), undefined);
    assert.equal(pauses.of(undefined), undefined);
  });

  it('pauses a notebook with all its cells', () => {
    pauses.pauseFile('vscode-notebook-cell:/a.ipynb#W0');
    assert.equal(pauses.of('vscode-notebook-cell:/a.ipynb#W1'), 'paused for this file');
    assert.equal(pauses.of('vscode-notebook-cell:/b.ipynb#W0'), undefined);
    pauses.resume('vscode-notebook-cell:/a.ipynb#W2');
    assert.equal(pauses.of('vscode-notebook-cell:/a.ipynb#W0'), undefined);
  });

  it('pauses one file and no other', () => {
    pauses.pauseFile('file:///a.py');
    assert.equal(pauses.of('file:///a.py'), 'paused for this file');
    assert.equal(pauses.of('file:///b.py'), undefined);
  });

  it('pauses an hour, and goes on by itself', () => {
    pauses.pauseFor(HOUR);
    now += HOUR - 1;
    assert.equal(pauses.of('file:///a.py'), 'paused for 1 min');
    now += 1;
    assert.equal(pauses.of('file:///a.py'), undefined);
  });

  it('resumes all that keeps this file silent, and leaves other files paused', () => {
    pauses.pauseWorkspace();
    pauses.pauseFor(HOUR);
    pauses.pauseFile('file:///a.py');
    pauses.pauseFile('file:///b.py');
    assert.equal(pauses.of('file:///c.py'), 'paused for this workspace');
    pauses.resume('file:///a.py');
    assert.equal(pauses.of('file:///a.py'), undefined);
    assert.equal(pauses.of('file:///b.py'), 'paused for this file');
  });
});
