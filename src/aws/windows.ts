// User data for Windows: PowerShell, the user's own first, then the EKS bootstrap script with quoted arguments.
import type { NodeClass } from '../model/nodeClass.ts';
import type { BootFacts } from './bootFacts.ts';
import { kubeletFlags } from './kubeletFlags.ts';
import { found, notReady, type Resolved } from './readiness.ts';
import { fieldOf } from './selectors.ts';

/** Source: Amazon EKS User Guide, "Create nodes with optimized Windows AMIs", bootstrap script parameters. */
export function windowsUserData(nodeClass: NodeClass, boot: BootFacts): Resolved<string> {
  const users = usersScript(nodeClass);
  if (users.kind === 'notReady') return users;
  const dns = boot.kubelet.clusterDns?.[0];
  const command = [
    '& $EKSBootstrapScriptFile',
    `-EKSClusterName ${powerShellQuoted(boot.clusterName)}`,
    `-APIServerEndpoint ${powerShellQuoted(boot.clusterEndpoint)}`,
    ...(boot.clusterCaBundle === null ? [] : [`-Base64ClusterCA ${powerShellQuoted(boot.clusterCaBundle)}`]),
    ...(dns === undefined ? [] : [`-DNSClusterIP ${powerShellQuoted(dns)}`]),
    `-KubeletExtraArgs ${powerShellQuoted(kubeletFlags(boot).join(' '))}`,
  ];
  const lines = [
    '<powershell>',
    ...(users.value === '' ? [] : [users.value]),
    '[string]$EKSBootstrapScriptFile = "$env:ProgramFiles\\Amazon\\EKS\\Start-EKSBootstrap.ps1"',
    command.join(' '),
    '</powershell>',
  ];
  return found(`${lines.join('\n')}\n`);
}

/** The user's PowerShell, with or without its tags; anything else has no place in one script. */
function usersScript(nodeClass: NodeClass): Resolved<string> {
  const text = nodeClass.userData?.trim() ?? '';
  const inner = /^<powershell>([\s\S]*)<\/powershell>$/i.exec(text)?.[1] ?? text;
  if (!/<\/?(powershell|script|persist)>/i.test(inner)) return found(inner.trim());
  const message =
    `${fieldOf(nodeClass, 'userData')}: holds tags of EC2Launch inside its script; ` +
    `write one PowerShell script, with or without <powershell> around it`;
  return notReady('UserDataInvalid', message);
}

/**
 * One literal to PowerShell, whatever it holds: nothing is expanded between single quotes, and the typographic ones
 * count as single quotes too. Source: PowerShell language specification, 2.3.5.2, verbatim string literals.
 */
export function powerShellQuoted(text: string): string {
  return `'${text.replace(/['\u2018\u2019\u201a\u201b]/g, (quote) => quote + quote)}'`;
}
