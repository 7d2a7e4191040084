// Writes the CRDs of the Helm sub-chart from the schemas: `npm run generate`.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { describeProblem } from './parsed.ts';
import { toOpenApiSchema } from './schemas/jsonSchema.ts';
import { RESOURCES } from './schemas/resources.ts';
import { nameTooLong, type PrinterColumn, type Resource } from './schemas/schema.ts';

const FOLDER = 'charts/cooper-crd/templates';
const HEADER = '# Generated from src/api/schemas by `npm run generate`; edit those instead.\n';

/** The CustomResourceDefinition of one resource, as a plain object. */
export function crdManifest(resource: Resource): object {
  const singular = resource.kind.toLowerCase();
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${resource.plural}.${resource.group}` },
    spec: {
      group: resource.group,
      names: {
        categories: ['karpenter'],
        kind: resource.kind,
        listKind: `${resource.kind}List`,
        plural: resource.plural,
        shortNames: resource.shortNames,
        singular,
      },
      scope: 'Cluster',
      versions: [
        {
          name: resource.version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: resource.printerColumns.map(printerColumn),
          schema: { openAPIV3Schema: rootSchema(resource) },
        },
      ],
    },
  };
}

function rootSchema(resource: Resource): object {
  return {
    type: 'object',
    description: resource.description,
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string', description: 'Version of the schema that the object is written in.' },
      kind: { type: 'string', description: 'Kind of the object.' },
      metadata: { type: 'object' },
      spec: toOpenApiSchema(resource.spec),
      status: toOpenApiSchema(resource.status),
    },
    ...(resource.nameMaxLength === 253 ? {} : { 'x-kubernetes-validations': [nameValidation(resource)] }),
  };
}

function nameValidation(resource: Resource): object {
  return {
    rule: `size(self.metadata.name) <= ${resource.nameMaxLength}`,
    message: describeProblem(nameTooLong(resource)),
  };
}

function printerColumn({ name, type, jsonPath, priority, description }: PrinterColumn): object {
  return { name, type, jsonPath, description, ...(priority === 0 ? {} : { priority }) };
}

/** Every generated file: its path below the project's folder, and its text. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const files = RESOURCES.map((resource): [string, string] => [
    `${FOLDER}/${resource.group}_${resource.plural}.yaml`,
    HEADER + stringify(crdManifest(resource), { lineWidth: 0, aliasDuplicateObjects: false }),
  ]);
  return new Map(files);
}

async function writeGeneratedFiles(folder: string): Promise<void> {
  for (const [path, text] of generatedFiles()) {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text);
  }
}

if (import.meta.main) await writeGeneratedFiles(join(import.meta.dirname, '../..'));
