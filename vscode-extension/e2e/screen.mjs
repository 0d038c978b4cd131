// What a person sees and does in a VS Code window.

import assert from 'node:assert/strict';

export const GHOST = '.ghost-text-decoration, .ghost-text-decoration-preview';
export const STATUS_ITEM = '.statusbar-item[id="status.languageStatus"]';
const ROW = '.suggest-widget.visible .monaco-list-row';
const PATIENCE_MS = 20_000;

/** The popup's labels that are drawn, in its order. */
export async function labels(page) {
  const rows = await page
    .locator(ROW)
    .evaluateAll((all) =>
      all
        .map((row) => [Number(row.dataset.index), row.querySelector('.label-name').textContent])
        .sort(([a], [b]) => a - b),
    );
  return rows.map(([, label]) => label);
}

/** Wait for a popup with the label, asking by hand where none comes by itself. */
export async function shown(page, label) {
  const until = Date.now() + PATIENCE_MS;
  while (Date.now() < until) {
    if ((await labels(page)).includes(label)) {
      return;
    }
    await page.keyboard.press('Escape'); // where a list is open, the next key would show its details
    await page.keyboard.press('Control+Space');
    await page.waitForTimeout(400);
  }
  throw new Error(`no popup with ${label}: ${await labels(page)}`);
}

/** The ghost text that is drawn now, its further lines too; empty where there is none. */
export async function ghostNow(page) {
  const lines = await page.evaluate((selector) => {
    const text = (all) => [...all].map((each) => each.textContent).join('');
    const further = document.querySelectorAll('.suggest-preview-text .view-line');
    const more = [...further].map((line) => line.textContent);
    return [text(document.querySelectorAll(selector)), ...more];
  }, GHOST);
  return lines.join('\n').replaceAll('\u00a0', ' ');
}

/** The last line of the buffer, without the ghost text that is drawn in it. */
export async function lastLine(page) {
  const text = await page.evaluate((selector) => {
    const top = (line) => Number.parseFloat(line.style.top);
    const lines = [...document.querySelectorAll('.view-lines .view-line')];
    const last = lines
      .sort((a, b) => top(a) - top(b))
      .at(-1)
      .cloneNode(true);
    last.querySelectorAll(selector).forEach((ghost) => ghost.remove());
    return last.textContent;
  }, GHOST);
  return text.replaceAll('\u00a0', ' ');
}

/** The ghost text behind a blank; while the model is being loaded the blank is typed again. */
export async function ghostText(page) {
  const until = Date.now() + PATIENCE_MS;
  while ((await page.locator(GHOST).count()) === 0) {
    assert.ok(Date.now() < until, 'no ghost text');
    await page.waitForTimeout(1500);
    if ((await page.locator(GHOST).count()) === 0) {
      await page.keyboard.press('Backspace');
      await page.keyboard.type(' ');
    }
  }
  return ghostNow(page);
}

export async function gone(page, selector) {
  await page.locator(selector).first().waitFor({ state: 'detached', timeout: PATIENCE_MS });
}

/** Wait for a rendered page of this title that holds a text. */
export async function preview(page, title, text) {
  await page.locator('.tab.active', { hasText: title }).waitFor();
  const shows = async (frame) => (await frame.locator('body').innerText()).includes(text);
  await until(page, `${title} does not show ${text}`, async () => {
    for (const frame of page.frames().slice(1)) {
      if (await shows(frame).catch(() => false)) {
        return true;
      }
    }
    return false;
  });
}

/** Wait until something is the case. */
export async function until(page, otherwise, holds, patience = PATIENCE_MS) {
  const end = Date.now() + patience;
  while (!(await holds())) {
    assert.ok(Date.now() < end, otherwise);
    await page.waitForTimeout(100);
  }
}

/** The line of Lancefill's status item, which is shown while the mouse is on it. */
export async function statusItem(page) {
  await page.locator(STATUS_ITEM).hover();
  const item = page.locator('.hover-language-status .left', { hasText: 'Lancefill' });
  await item.waitFor();
  const text = (await item.innerText()).replace(/^.*Lancefill\W*/, '');
  await page.mouse.move(0, 0);
  return text;
}

export async function command(page, title) {
  await page.keyboard.press('F1');
  await page.locator('.quick-input-widget input').fill(`>${title}`);
  await page.locator(`.quick-input-list .monaco-list-row[aria-label^="${title}"]`).first().click();
}

export async function save(page) {
  await page.keyboard.press('Control+s');
  await page.locator('.tab.active:not(.dirty)').waitFor();
}
