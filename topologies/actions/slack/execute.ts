// Carries out one Slack command: build the message, look for it when it may be there already, post it once, judge the answer.
import type { Command } from '@tocsin/schemas/types.ts';
import { checked } from '../../domain/action/check-params.ts';
import type { ActionContext } from '../../domain/action/define-action.ts';
import { exchange, postRequest, previewPost, withWarnings } from '../../domain/action/exchange.ts';
import { isFailed, withTemplates } from '../../domain/action/fail.ts';
import { type HttpTarget, httpTarget } from '../../domain/action/http-target.ts';
import type { Failed, Outcome } from '../../domain/action/outcome.ts';
import type { HttpPort } from '../../ports/http.ts';
import { canSearch, historyRequest, pagesMax, readPage } from './history.ts';
import { judgePost, judgeWebhook, posted } from './judge.ts';
import { manifest } from './manifest.ts';
import { checkSlack, checkSlackConnection, type SlackParams } from './params.ts';
import { type SlackMessage, slackMessage } from './request.ts';

export const slack = checked({
  manifest,
  check: (params) => checkSlack(params as SlackParams),
  checkConnection: (params, connection) => checkSlackConnection(params as SlackParams, connection),
  preview: (command, context) =>
    previewPost(
      httpTarget(context.connection),
      (target, now) => withTemplates(() => slackMessage(command, command.params as SlackParams, target, now)),
      context,
    ),
  async execute(command, context): Promise<Outcome> {
    const { http } = context.ports;
    if (http === undefined) throw new TypeError('slack needs the http port');
    const params = command.params as SlackParams;
    const target = httpTarget(context.connection);
    if (isFailed(target)) return target;
    const message = withTemplates(() => slackMessage(command, params, target, context.now));
    if (isFailed(message)) return message;
    const warnings = [...message.warnings];
    if (context.possibleDuplicate === true && message.channel !== null) {
      const seen = await lookFor(command, params, message, { target, http, context });
      if ('status' in seen) return withWarnings(seen, warnings);
      warnings.push(seen.note);
    }
    const options = { subject: `POST ${target.origin}`, now: context.now };
    const judge = message.channel === null ? judgeWebhook : judgePost;
    const outcome = await exchange(http, postRequest(target, message), context, (response) =>
      judge(response, options),
    );
    return withWarnings(outcome, warnings);
  },
});

interface Place {
  readonly target: HttpTarget;
  readonly http: HttpPort;
  readonly context: ActionContext;
}

/** Done when the message is there; a failure that is worth waiting for; else a note for the message that is sent again. */
async function lookFor(
  command: Command,
  params: SlackParams,
  message: SlackMessage,
  { target, http, context }: Place,
): Promise<Outcome | { readonly note: string }> {
  const again = (why: string): { note: string } => ({ note: `posted again, it may be there twice: ${why}` });
  if (!canSearch(params, message))
    return again('the channel was not searched (check_history, and the id of the channel)');
  const options = { subject: `GET ${target.origin}`, now: context.now };
  let cursor: string | null = null;
  for (let pages = 0; pages < pagesMax; pages += 1) {
    const request = historyRequest(command, message, target, cursor);
    const page: Awaited<ReturnType<typeof readPage>> = await exchange(http, request, context, (response) =>
      readPage(command, response, options),
    );
    if (isFailed(page)) return waits(page) ? { ...page, uncertain: false } : again(page.detail);
    if (page.ts !== null) return posted(200, page.ts, message.channel);
    if (page.cursor === null)
      return { note: 'posted again: an earlier attempt left no message in the channel' };
    cursor = page.cursor;
  }
  return again(`it is not among the newest ${pagesMax * 200} messages`);
}

// A missing scope refuses the search, not the message; everything else that passes is waited for.
function waits(failure: Failed): boolean {
  return failure.retry !== 'never' && !failure.detail.endsWith(': missing_scope');
}
