import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { misfit } from '../version';

describe('misfit', () => {
  it('lets versions pass that differ in what is mended only', () => {
    assert.equal(misfit('0.1.0', '0.1.7'), undefined);
    assert.equal(misfit('1.4.0', '1.2.0.dev3'), undefined);
  });

  it('says which of the two to update', () => {
    assert.match(misfit('0.2.0', '0.1.9') ?? '', /update the server/);
    assert.match(misfit('0.1.0', '0.2.0') ?? '', /update the extension/);
    assert.match(misfit('1.0.0', '0.9.0') ?? '', /update the server/);
  });

  it('says that a server without a version is to be installed again', () => {
    assert.match(misfit('0.1.0', undefined) ?? '', /unknown version: install the server again/);
  });
});
