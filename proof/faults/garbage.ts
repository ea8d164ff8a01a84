// Publishes messages that are not entries, or old entries, on the topics of the nodes in Redis. No watcher may see any of them.

import { pick } from '../../tests/support/random.ts';
import { countEffect, repeatedly, seconds } from './effect.ts';
import type { Fault } from './fault.ts';
import { topics, withRedis } from './redis.ts';

/** None is an entry, and most are not JSON. */
const junk = ['', 'not json{', 'null', '[]', '{}', '1e999', '"text"', '\u0000\ufffd', '['.repeat(10_000), '{"seq":1}', 'x'.repeat(100_000)];

/** An entry and the topic on which it was published. */
interface Captured {
  readonly topic: string;
  readonly text: string;
}

const farAhead = 1_000_000;
const seqPattern = /"seq":(\d+)/;
const seqOf = (text: string) => Number(seqPattern.exec(text)?.[1]);
const aheadOf = (text: string) => text.replace(seqPattern, `"seq":${farAhead + seqOf(text)}`);

export const redisGarbage = ({ lastsMs = 20_000, everyMs = 50 } = {}): Fault => ({
  name: `garbage published for ${seconds(lastsMs)}`,
  maxDelayMs: 7000,
  inject: (context) =>
    countEffect(context, 'messages that nodes received and could not read', ['redis.unreadable'], async () => {
      const { rig, random } = context;
      const captured: Captured[] = [];
      using subscriber = await rig.connectRedis();
      subscriber.redis.on('pmessage', (_pattern, topic: string, text: string) => {
        // What is published below arrives here as well. An entry names the room of its topic, and a seq that is possible.
        if (text.includes(`"${topic.slice(topic.lastIndexOf(':') + 1)}"`) && seqOf(text) < farAhead) captured.push({ topic, text });
      });
      await subscriber.redis.psubscribe('gapless:*:room:*');
      await withRedis(context, (redis) =>
        repeatedly(lastsMs, everyMs, async () => {
          const all = await topics(redis);
          if (all.length === 0) return;
          await redis.publish(pick(all, random), pick(junk, random));
          if (captured.length === 0) return;
          const old = pick(captured, random);
          const last = captured.at(-1) as Captured;
          await redis.publish(old.topic, aheadOf(old.text));
          await redis.publish(old.topic, old.text);
          await redis.publish(last.topic, last.text);
          // Usually in another room than its own.
          await redis.publish(pick(all, random), last.text);
        }),
      );
    }),
});
