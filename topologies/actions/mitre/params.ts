// Parameters of the mitre action as a type, and the checks that its JSON Schema cannot express.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { checkAdditional, type FieldTemplates } from '../../domain/action/record/fields.ts';
import { techniquePattern } from '../../domain/mitre/techniques.ts';
import { checkTemplate } from '../../domain/templates/check.ts';

export interface MitreParams {
  readonly name?: string;
  readonly rule?: string;
  readonly layer: string;
  readonly techniques: readonly string[];
  readonly severity?: string;
  readonly index?: string;
  readonly additional_fields?: FieldTemplates;
  readonly incident_id?: string;
}

/** Issues of schema-valid parameters. An id that the list does not know is none: lists grow, and rules outlive them. */
export function checkMitre(params: MitreParams): Issue[] {
  return [
    ...checkTemplate(params.name, 'none', '/name'),
    ...params.techniques.flatMap((text, index) => {
      const path = `/techniques/${index}`;
      if (text.includes('{{')) return checkTemplate(text, 'none', path);
      return techniquePattern.test(text.trim().toUpperCase())
        ? []
        : [{ path, message: 'is no id such as T1059 or T1059.001' }];
    }),
    ...checkTemplate(params.severity, 'none', '/severity'),
    ...checkAdditional(params.additional_fields, new Set(['incident_id'])),
    ...checkTemplate(params.incident_id, 'none', '/incident_id'),
  ];
}
