// The two pages that people without a key see. Values are escaped; there is no script and nothing is loaded.
import { createHash } from 'node:crypto';
import type { Approval } from '@tocsin/adapters/postgres/approval-store.ts';
import { escapeHtml } from '@tocsin/topologies/domain/templates/escape.ts';

const style =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}' +
  'pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f3f3f3;padding:.75rem}dt{font-weight:600}dd{margin:0 0 .5rem}' +
  'textarea{width:100%;font:inherit}button{font:inherit;padding:.5rem 1.5rem;margin:1rem 1rem 0 0}';

const styleHash = createHash('sha256').update(style).digest('base64');

/** Headers of every page. */
export const pagePolicy = {
  'content-security-policy': `default-src 'none'; style-src 'sha256-${styleHash}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'x-robots-tag': 'noindex, nofollow',
} as const;

/** What is decided, for one person, with a form that posts to the address of the page. */
export function approvalPage(approval: Approval, user: string): string {
  const { title, message, sends, until, quorum, gate, playbook, revision, key } = approval;
  const facts: [string, string][] = [
    ['You decide as', user],
    ['Playbook', `${playbook}, revision ${revision}`],
    ['Run', key],
    ['Until', until === null ? 'no end' : until.toISOString()],
    ['Needed', `${quorum.approve} to approve, ${quorum.reject} to reject`],
    ['Decided so far', gate.votes.map(({ actor, verdict }) => `${actor}: ${verdict}`).join(', ') || 'nobody'],
    ['Digest', gate.digest],
  ];
  const list = facts.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${text(value)}</dd>`).join('');
  const actions = sends
    .map(
      (send) =>
        `<h2>${text(`${String(send['step'])}: ${String(send['type'])}`)}</h2><pre>${text(JSON.stringify(send['params'], null, 2))}</pre>`,
    )
    .join('');
  return page(
    title,
    `${approval.dryRun ? '<p><strong>Dry run: nothing will be sent.</strong></p>' : ''}${message === null ? '' : `<p>${text(message)}</p>`}<dl>${list}</dl>${actions}
<form method="post"><input type="hidden" name="digest" value="${escapeHtml(gate.digest)}">
<label for="comment">Comment</label><textarea id="comment" name="comment" rows="3" maxlength="4096"></textarea>
<button name="decision" value="approve">Approve</button><button name="decision" value="reject">Reject</button></form>`,
  );
}

export function messagePage(title: string, message: string): string {
  return page(title, `<p>${text(message)}</p>`);
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title><style>${style}</style></head>
<body><h1>${text(title)}</h1>
${body}
</body></html>
`;
}

/** A value that may hold anything, its writing direction kept to itself. */
function text(value: string): string {
  return `<bdi>${escapeHtml(value)}</bdi>`;
}
