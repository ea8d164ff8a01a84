// What somebody else might publish to Redis, on every topic that nodes listen to: nothing of it may be seen by anyone.

import { pick } from '../../tests/support/random.ts';
import type { Fault } from './fault.ts';
import { felt, repeatedly, seconds } from './felt.ts';
import { asking, topics } from './redis.ts';

/** No entry, and most of it no JSON. */
const junk = ['', 'not json{', 'null', '[]', '{}', '1e999', '"text"', '\u0000\ufffd', '['.repeat(10_000), '{"seq":1}', 'x'.repeat(100_000)];

/** An entry as it came by, and the topic that it came by on. */
interface Heard {
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
  strike: (stage) =>
    felt(stage, 'entries heard that were none', ['redis.unreadable'], async () => {
      const { rig, random } = stage;
      const heard: Heard[] = [];
      using listening = await rig.connectRedis();
      listening.redis.on('pmessage', (_pattern, topic: string, text: string) => {
        // What is published below comes by as well: an entry is what names the topic's own room, and a seq that can be.
        if (text.includes(`"${topic.slice('gapless:room:'.length)}"`) && seqOf(text) < farAhead) heard.push({ topic, text });
      });
      await listening.redis.psubscribe('gapless:room:*');
      await asking(stage, (redis) =>
        repeatedly(lastsMs, everyMs, async () => {
          const all = await topics(redis);
          if (all.length === 0) return;
          await redis.publish(pick(all, random), pick(junk, random));
          if (heard.length === 0) return;
          const old = pick(heard, random);
          const last = heard.at(-1) as Heard;
          await redis.publish(old.topic, aheadOf(old.text));
          await redis.publish(old.topic, old.text);
          await redis.publish(last.topic, last.text);
          // In another room, unless chance says the same.
          await redis.publish(pick(all, random), last.text);
        }),
      );
    }),
});
