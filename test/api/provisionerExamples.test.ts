// Every example under provisioners/ is valid, and names only templates that stand beside it.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { unknownManifestFields } from '../../src/api/manifest.ts';
import { parseAwsNodeTemplate } from '../../src/api/nodeClasses.ts';
import { parseProvisioner } from '../../src/api/provisioners.ts';
import { AWS_NODE_TEMPLATE } from '../../src/api/schemas/awsNodeTemplate.ts';
import { PROVISIONER } from '../../src/api/schemas/provisioner.ts';
import { nodeClassKey } from '../../src/model/nodeClass.ts';

const FOLDER = new URL('../../provisioners/', import.meta.url);

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'))) {
  test(`provisioners/${file} is valid and complete`, () => {
    const nodeClasses = new Set<string>();
    const wanted: string[] = [];
    for (const document of parseAllDocuments(readFileSync(new URL(file, FOLDER), 'utf8'))) {
      const manifest: unknown = document.toJS();
      if ((manifest as { kind: string }).kind === 'AWSNodeTemplate') {
        const parsed = parseAwsNodeTemplate(manifest);
        assert.equal(parsed.kind, 'valid', JSON.stringify(parsed));
        assert.deepEqual(unknownManifestFields(AWS_NODE_TEMPLATE, manifest), []);
        nodeClasses.add(parsed.value.key);
        continue;
      }
      const parsed = parseProvisioner(manifest);
      assert.equal(parsed.kind, 'valid', JSON.stringify(parsed));
      assert.deepEqual(unknownManifestFields(PROVISIONER, manifest), []);
      const { provisioner, nodeClass } = parsed.value;
      wanted.push(nodeClassKey(provisioner.nodeClassRef));
      if (nodeClass !== null) nodeClasses.add(nodeClass.key);
    }
    assert.ok(wanted.length > 0);
    for (const key of wanted) assert.ok(nodeClasses.has(key), `${key} is not in the file`);
  });
}
