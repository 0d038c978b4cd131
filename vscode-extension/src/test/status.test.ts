import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import {
  modelText,
  plain,
  reasonText,
  statusDetail,
  statusPage,
  statusText,
  type FolderReport,
  type Report,
  type State,
} from '../status';

const READY: State = {
  status: { kind: 'Normal', busy: false, message: 'ready' },
  device: 'auto',
};

const FOLDER: FolderReport = {
  root: '/src/my_project',
  files: 120,
  secrets: 2,
  watched: 0,
  ngrams: false,
  adapter: null,
  interpreter: 'None',
  foundBy: 'no virtual environment was found',
  progress: { phase: 'indexing', done: 40, total: 120, skipped: 3 },
};

const REPORT: Report = {
  trusted: true,
  problems: [],
  helpers: ['indexer: running (pid 7)', 'model: down'],
  model: 'ready',
  running: { model: 'codefill', device: 'cpu', problem: '' },
  folders: [FOLDER],
};

describe('statusText', () => {
  it('shows that the server is busy before anything else', () => {
    const status = { kind: 'Warning', message: 'no model' } as const;
    assert.match(statusText({ status: { ...status, busy: true } }), /sync~spin/);
    assert.match(statusText({ status: { ...status, busy: false } }), /warning/);
  });

  it('shows a pause before all that the server does', () => {
    const busy = { kind: 'Normal', busy: true, message: 'indexing' } as const;
    assert.match(statusText({ status: busy, paused: 'paused for this file' }), /debug-pause/);
  });
});

describe('statusDetail', () => {
  it('says state, model, device and the last silence', () => {
    assert.equal(
      statusDetail({ ...READY, model: 'codefill on cpu', silence: 'No popup: nothing fits' }),
      'ready · model: codefill on cpu · No popup: nothing fits',
    );
  });

  it('says nothing of a model that is not known yet, and nothing twice', () => {
    assert.equal(statusDetail(READY), 'ready');
    const status = { ...READY.status, message: 'indexing x; the model is being loaded' };
    const loading = { ...READY, status, model: 'the model is being loaded' };
    assert.equal(statusDetail(loading), status.message);
  });

  it('says why nothing is suggested while it is paused', () => {
    assert.equal(
      statusDetail({ ...READY, paused: 'paused for this file' }),
      'paused for this file',
    );
  });
});

describe('modelText', () => {
  it('says which model runs and where', () => {
    assert.equal(modelText(REPORT), 'codefill on cpu');
  });

  it('says why it is not the one in use', () => {
    const running = { ...REPORT.running, problem: 'the folder of mine is gone' };
    assert.equal(modelText({ ...REPORT, running }), 'codefill on cpu (the folder of mine is gone)');
  });

  it('says why none runs', () => {
    assert.equal(
      modelText({ model: 'the model is being loaded', running: {} }),
      'the model is being loaded',
    );
  });
});

describe('reasonText', () => {
  const PLACE = { uri: 'file:///a.py' };

  it('says why there is no suggestion', () => {
    const message = 'the model is 21 % sure';
    assert.equal(
      reasonText({ ...PLACE, feature: 'ghost', code: 'low-confidence', message }),
      'No ghost text: the model is 21 % sure',
    );
  });

  it('says nothing about what happens at every keystroke', () => {
    assert.equal(
      reasonText({ ...PLACE, feature: 'popup', code: 'superseded', message: '' }),
      undefined,
    );
  });
});

describe('statusPage', () => {
  it('shows each folder with its progress, the helpers and that there is no problem', () => {
    const page = statusPage(READY, REPORT);
    assert.match(page, /## Index of \/src\/my\\_project\n\n- indexing, 40 of 120 files\n/);
    assert.match(page, /120 files known, 3 left out/);
    assert.match(page, /may hold secrets: 2\n- folders watched for changes: by VS Code/);
    const own = statusPage(READY, { ...REPORT, folders: [{ ...FOLDER, watched: 7 }] });
    assert.match(own, /folders watched for changes: 7/);
    assert.match(page, /## Problems\n\n- none/);
    assert.match(page, /- model: down/);
    assert.match(page, /- Model: codefill on cpu\n/);
    assert.match(page, /- Python: no virtual environment was found/);
  });

  it('counts no files of an index that is ready', () => {
    const progress = { phase: 'ready', done: 120, total: 120, skipped: 0 };
    const page = statusPage(READY, { ...REPORT, folders: [{ ...FOLDER, progress }] });
    assert.match(page, /\n- ready\n- 120 files known\n/);
  });

  it('shows what is known when the server does not answer', () => {
    const page = statusPage({ ...READY, silence: 'No popup: late' });
    assert.match(page, /Last silence: No popup: late/);
    assert.match(page, /does not answer/);
  });
});

describe('plain', () => {
  it('leaves nothing that Markdown would read as its own', () => {
    assert.equal(plain('a_b `c`\n<i>|'), 'a\\_b \\`c\\` \\<i\\>\\|');
  });
});
