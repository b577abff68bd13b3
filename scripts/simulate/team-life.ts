import { DAY, MINUTE, type Moment } from './moment.ts';
import type { Random } from './random.ts';
import { auditEvent, type SimulatedRecord } from './record.ts';
import { emailOf, GIVEN_NAMES, TEMPLATES } from './vocabulary.ts';

const MEAN_BETWEEN_CHANGES = DAY;

/** What a team does besides running sandboxes, for ever: it tends its templates and webhooks. */
export function* teamLife(
  random: Random,
  team: string,
  start: Moment,
): Generator<SimulatedRecord, never> {
  const webhooks: string[] = [];
  let now = start;
  while (true) {
    now += MINUTE + Math.floor(random.wait(MEAN_BETWEEN_CHANGES));
    const actor = emailOf(random.pick(GIVEN_NAMES), team);
    const dice = random.fraction();
    if (dice < 0.4) {
      const name = `hook-${random.bits().toString(36)}`;
      webhooks.push(name);
      const details = `name=${name} url=https://hooks.example.com/${team}`;
      yield auditEvent(random, now, {
        actor,
        action: 'webhook.create',
        resource: 'webhook',
        details,
      });
    } else if (dice < 0.6 && webhooks.length > 0) {
      const details = `name=${webhooks.shift()}`;
      yield auditEvent(random, now, {
        actor,
        action: 'webhook.delete',
        resource: 'webhook',
        details,
      });
    } else {
      const details = `template=${team}/${random.pick(TEMPLATES).name} réglage=par défaut`;
      const action = random.pick(['create', 'patch', 'patch', 'delete']);
      yield auditEvent(random, now, { actor, action, resource: 'template', details });
    }
  }
}
