// The picture of the system, drawn from the flows: topics, services, and what they touch outside.
import type { Flow } from '../flows/flow.ts';
import type { Topic } from '../topics.ts';

const shapes = { decide: ['[', ']'], fold: ['[[', ']]'], perform: ['([', '])'] } as const;

const nodeId = (text: string): string => text.replace(/[^A-Za-z0-9]/g, '_');

/** Mermaid flowchart of the flows, left to right. */
export function renderMermaid(flows: readonly Flow[]): string {
  const lines = ['flowchart LR'];
  const topics = new Map<string, Topic>();
  for (const flow of flows)
    for (const topic of [...flow.reads, ...flow.tables, ...flow.writes]) topics.set(topic.name, topic);
  for (const topic of topics.values())
    lines.push(
      `  t_${nodeId(topic.name)}${topic.external ? '[/' : '[('}"${topic.name}"${topic.external ? '/]' : ')]'}`,
    );
  for (const flow of flows) {
    const id = `f_${nodeId(`${flow.service}_${flow.title}`)}`;
    const [open, close] = shapes[flow.kind];
    lines.push(`  ${id}${open}"${flow.service}<br/>${flow.title}"${close}`);
    for (const topic of flow.reads) lines.push(`  t_${nodeId(topic.name)} --> ${id}`);
    for (const topic of flow.tables) lines.push(`  t_${nodeId(topic.name)} -.-> ${id}`);
    for (const topic of flow.writes) lines.push(`  ${id} --> t_${nodeId(topic.name)}`);
    if (flow.kind === 'perform')
      for (const name of flow.touches) lines.push(`  ${id} ==> x_${nodeId(name)}{{"${name}"}}`);
  }
  return `${[...new Set(lines)].join('\n')}\n`;
}
