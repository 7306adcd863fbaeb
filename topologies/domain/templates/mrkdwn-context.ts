// Refuses tags where Slack's mrkdwn would let a value choose whom a message calls: inside `<!...>`, `<@...>` and `<#...>`.
// Dates (`<!date^...>`) call nobody. The escape of values (escape-chat.ts) keeps the rest of the text safe.
import { type Template, TemplateError, type TemplateNode } from './parse.ts';

/** Throws TemplateError; sections are read as if each were shown once, in order. */
export function checkMrkdwnPlaces(template: Template): void {
  let before = '';
  const visit = (nodes: readonly TemplateNode[]): void => {
    for (const node of nodes) {
      if (node.kind === 'text') before = (before + node.text).slice(-512);
      else if (node.kind === 'section') visit(node.nodes);
      else if (/<[!@#](?!date\^)[^<>]*$/.test(before))
        throw new TemplateError(
          'syntax',
          `has {{${node.name}}} inside a mention; only literal text can call people`,
        );
    }
  };
  visit(template.nodes);
}
