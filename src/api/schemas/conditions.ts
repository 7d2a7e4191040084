// Schema of status conditions, shared by all our resources.
import type { ListSchema } from './schema.ts';

/** Conditions as `metav1.Condition` names their fields. */
export const conditions: ListSchema = {
  type: 'list',
  description: 'What is known of the object, one entry for each type of condition.',
  maxItems: 30,
  items: {
    type: 'object',
    description: 'One condition.',
    required: ['type', 'status'],
    properties: {
      type: { type: 'text', description: 'What the condition is about.', minLength: 1, maxLength: 316 },
      status: {
        type: 'text',
        description: 'Whether the condition holds.',
        enum: ['True', 'False', 'Unknown'],
        maxLength: 16,
      },
      reason: { type: 'text', description: 'One word that programs can look at.', maxLength: 1024 },
      message: { type: 'text', description: 'The same in a sentence for people.', maxLength: 32_768 },
      lastTransitionTime: {
        type: 'text',
        description: 'When the status last changed.',
        format: 'date-time',
        maxLength: 64,
      },
      observedGeneration: {
        type: 'int64',
        description: 'Generation of the object that the condition is about.',
        minimum: 0,
      },
      severity: {
        type: 'text',
        description: 'Written by Karpenter before v0.33; ignored here.',
        maxLength: 64,
      },
    },
  },
};
