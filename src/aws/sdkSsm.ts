// SsmApi over the AWS SDK.
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { AwsFault } from './awsFault.ts';
import { CONNECTION } from './sdkEc2.ts';
import { asked } from './sdkFault.ts';
import { RETRY_UNLESS_THROTTLED } from './sdkRetries.ts';
import type { SsmApi } from './ssmApi.ts';

/** Endpoint and credentials come from the SDK's own environment (AWS_ENDPOINT_URL, web identity, …). */
export function connectSsm(region: string): SsmApi {
  const client = new SSMClient({ region, ...CONNECTION, retryStrategy: RETRY_UNLESS_THROTTLED });
  return {
    async parameter(name) {
      try {
        const answer = await asked('ssm:GetParameter', () =>
          client.send(new GetParameterCommand({ Name: name })),
        );
        return answer.Parameter?.Value ?? null;
      } catch (caught) {
        if (caught instanceof AwsFault && caught.code === 'ParameterNotFound') return null;
        throw caught;
      }
    },
  };
}
