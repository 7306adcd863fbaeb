// Carries out one log command: the lines are on disk when it is done.
import { checked } from '../../domain/action/check-params.ts';
import { failed } from '../../domain/action/fail.ts';
import { shownItems, shownText } from '../../domain/action/preview.ts';
import { manifest } from './manifest.ts';
import { logLines } from './request.ts';

export const log = checked({
  manifest,
  check: () => [],
  preview(command, context) {
    const lines = logLines(command, context.now);
    const shown = lines.slice(0, shownItems).map(shownText);
    return { status: 'done', output: { lines: shown, total: lines.length } };
  },
  async execute(command, context) {
    const { lineLog } = context.ports;
    if (lineLog === undefined) throw new TypeError('log needs the line log port');
    const lines = logLines(command, context.now);
    try {
      await lineLog.append(lines);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      return failed(
        'disk',
        `the event log could not be written${code === undefined ? '' : `: ${code}`}`,
        'backoff',
      );
    }
    return { status: 'done', output: { lines: lines.length } };
  },
});
