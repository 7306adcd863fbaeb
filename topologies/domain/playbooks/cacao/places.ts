// Keys under which the identifiers of a playbook are kept (meta.cacao.ids): the same for export and import.
//
// Surprise: steps MUST have UUIDs of version 4 (section 10.10), so identifiers are made once and kept, never derived.
export const places = {
  start: 'start',
  end: (list: string): string => `${list}#end`,
  step: (path: string): string => path,
  /** Of the condition of `when` around a step, and the end of its branch. */
  when: (path: string): string => `${path}?when`,
  /** Of the condition behind an approval. */
  gate: (path: string): string => `${path}?gate`,
  approved: (path: string): string => `${path}?approved`,
  rejected: (path: string): string => `${path}/onReject`,
  /** Second branch of a parallel that has one. */
  spare: (path: string): string => `${path}?spare`,
  agent: (name: string): string => `agent:${name}`,
  playbook: (id: string): string => `playbook:${id}`,
} as const;

/** Path of a list or step below another; '' is the playbook's own list. */
export function below(list: string, id: string): string {
  return list === '' ? id : `${list}/${id}`;
}
