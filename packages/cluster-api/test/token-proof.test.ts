import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SignedRequest, TokenGate } from '../src/peers/token-proof.ts';

const TOKEN = 'a-token';
const HEADERS = { Upgrade: 'metad-peer/2', 'x-metad-node': '1', 'x-metad-instance': 'i', 'x-metad-to': '2' };
const ANSWER = { 'x-metad-node': '2', 'x-metad-instance': 'j' };

function signed(gate: TokenGate, token = TOKEN, headers: Record<string, string> = HEADERS): SignedRequest {
  return new SignedRequest(token, gate.challenge(), headers);
}

test('both ends prove the token, and neither shows it', () => {
  const gate = new TokenGate(TOKEN);
  const request = signed(gate);
  const answer = gate.open(request.headers)?.(ANSWER);
  expect(answer).toMatchObject(ANSWER);
  expect(request.isAnsweredBy(answer ?? {})).toBe(true);
  expect(JSON.stringify([request.headers, answer])).not.toContain(TOKEN);
});

test('another token opens nothing, and proves nothing', () => {
  const gate = new TokenGate(TOKEN);
  expect(gate.open(signed(gate, 'another').headers)).toBeNull();
  const other = new TokenGate('another');
  const request = signed(other);
  expect(other.open(request.headers)).toBeNull();
  const forged = new SignedRequest('another', other.challenge(), HEADERS);
  expect(request.isAnsweredBy(other.open(forged.headers)?.(ANSWER) ?? {})).toBe(false);
});

test('what was overheard is of no use again, nor with another gate', () => {
  const gate = new TokenGate(TOKEN);
  const { headers } = signed(gate);
  expect(gate.open(headers)).not.toBeNull();
  expect(gate.open(headers)).toBeNull();
  expect(new TokenGate(TOKEN).open(signed(gate).headers)).toBeNull();
});

test('a challenge holds for ten seconds', () => {
  let now = 0;
  const gate = new TokenGate(TOKEN, () => now);
  const [inTime, late] = [signed(gate), signed(gate)];
  now = 10_000;
  expect(gate.open(inTime.headers)).not.toBeNull();
  now = 10_001;
  expect(gate.open(late.headers)).toBeNull();
  expect(gate.open(inTime.headers), 'forgotten, and still not open again').toBeNull();
});

test('an answer proves nothing to another request, nor does a request to itself', () => {
  const gate = new TokenGate(TOKEN);
  const [one, other] = [signed(gate), signed(gate)];
  const answer = gate.open(one.headers)?.(ANSWER) ?? {};
  expect(other.isAnsweredBy(answer)).toBe(false);
  expect(one.isAnsweredBy(one.headers)).toBe(false);
  expect(one.isAnsweredBy({})).toBe(false);
});

test('whatever is changed, added or left out of what was said breaks the proof', () => {
  const names = fc.constantFrom(
    'Upgrade',
    'x-metad-node',
    'x-metad-instance',
    'x-metad-to',
    'x-metad-cluster',
  );
  const values = fc.option(fc.stringMatching(/^[a-z0-9]{0,4}$/), { nil: undefined });
  fc.assert(
    fc.property(names, values, (name, value) => {
      const gate = new TokenGate(TOKEN);
      const request = signed(gate);
      const changed: Record<string, string> = { ...request.headers };
      if (value === undefined) delete changed[name];
      else changed[name] = value;
      const isSame = changed[name] === request.headers[name];
      expect(gate.open(changed) !== null).toBe(isSame);
      const answer: Record<string, string> = gate.open(signed(gate).headers)?.(ANSWER) ?? {};
      const own = signed(gate);
      const sign = gate.open(own.headers);
      const said = sign?.(ANSWER) ?? {};
      expect(own.isAnsweredBy({ ...said, [name]: 'changed' })).toBe(false);
      expect(own.isAnsweredBy(answer)).toBe(false);
    }),
  );
});

test('nonsense opens nothing', () => {
  const gate = new TokenGate(TOKEN);
  const { headers } = signed(gate);
  const text = fc.string({ maxLength: 200 });
  fc.assert(
    fc.property(text, text, (challenge, proof) => {
      expect(gate.open({ ...headers, 'x-metad-challenge': challenge })).toBeNull();
      expect(gate.open({ ...headers, 'x-metad-proof': proof })).toBeNull();
      // Signed with the right token, but made up by the dialler itself.
      expect(gate.open(new SignedRequest(TOKEN, challenge, HEADERS).headers)).toBeNull();
    }),
  );
  expect(gate.open(headers)).not.toBeNull();
});
