// Whether the extension and the server that it started were made for each other.

/**
 * What to do when the versions do not fit, or undefined when they do.
 *
 * They fit when their major versions agree, and below 1.0 their minor versions too. A server that
 * tells no version that can be read is older than this rule.
 */
export function misfit(extension: string, server: string | undefined): string | undefined {
  const ours = parts(extension);
  const theirs = parts(server ?? '');
  if (ours === undefined) {
    return undefined;
  }
  const told = `The Lancefill extension is ${extension}, its server ${server ?? 'of an unknown version'}`;
  if (theirs === undefined) {
    return `${told}: install the server again.`;
  }
  const difference = ours[0] - theirs[0] || (ours[0] === 0 ? ours[1] - theirs[1] : 0);
  if (difference === 0) {
    return undefined;
  }
  return difference > 0 ? `${told}: update the server.` : `${told}: update the extension.`;
}

function parts(version: string): readonly [number, number] | undefined {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor)];
}
