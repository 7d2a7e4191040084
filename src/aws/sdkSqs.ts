// SqsApi over the AWS SDK; loaded only when a queue is configured.
import {
  DeleteMessageBatchCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { AwsFault } from './awsFault.ts';
import type { SqsApi } from './interruptionQueue.ts';
import { CONNECTION } from './sdkEc2.ts';
import { asked } from './sdkFault.ts';

/** The longest that SQS waits; one call in 20 s costs nothing to speak of. Source: SQS, "Short and long polling". */
const WAIT_SECONDS = 20;
/** A message that could not be dealt with comes again after this long, well within a spot notice. */
const VISIBLE_AGAIN_SECONDS = 15;
const MOST_MESSAGES = 10;

/** Endpoint and credentials come from the SDK's own environment (AWS_ENDPOINT_URL, web identity, …). */
export function connectSqs(region: string): SqsApi {
  const client = new SQSClient({ region, ...CONNECTION });
  const closing = new AbortController();
  return {
    async queueUrl(name) {
      const command = new GetQueueUrlCommand({ QueueName: name });
      const { QueueUrl } = await asked('sqs:GetQueueUrl', () => client.send(command));
      if (QueueUrl !== undefined) return QueueUrl;
      throw new AwsFault('sqs:GetQueueUrl', 'QueueDoesNotExist', `SQS gave no URL for ${name}`);
    },
    async receiveMessages(queueUrl) {
      const command = new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: MOST_MESSAGES,
        WaitTimeSeconds: WAIT_SECONDS,
        VisibilityTimeout: VISIBLE_AGAIN_SECONDS,
      });
      try {
        const answer = await asked('sqs:ReceiveMessage', () =>
          client.send(command, { abortSignal: closing.signal }),
        );
        return (answer.Messages ?? []).flatMap(({ MessageId: id = '', Body: body = '', ReceiptHandle }) =>
          ReceiptHandle === undefined ? [] : [{ id, body, receipt: ReceiptHandle }],
        );
      } catch (caught) {
        if (closing.signal.aborted) return [];
        throw caught;
      }
    },
    async deleteMessages(queueUrl, receipts) {
      const Entries = receipts.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle }));
      const command = new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries });
      await asked('sqs:DeleteMessage', () => client.send(command));
    },
    close: () => closing.abort(),
  };
}
