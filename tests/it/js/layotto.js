// Layotto's published client, unchanged, against Tandem's runtime API and callbacks.
// Usage: node layotto.js RUNTIME_PORT CALLBACK_PORT (STORES in the environment: see below)
'use strict';
const assert = require('node:assert');
const { Client, Server } = require('layotto');

const [, , runtimePort, callbackPort] = process.argv;
const { STATE, LOCK, SEQUENCER, PUBSUB } = process.env;
const text = (bytes) => Buffer.from(bytes).toString();

async function state(client) {
  await client.state.save({ storeName: STATE, states: { key: 'a', value: 'one' } });
  const item = await client.state.get({ storeName: STATE, key: 'a' });
  assert.equal(text(item.value), 'one');
  assert.ok(item.etag);
  assert.equal(await client.state.get({ storeName: STATE, key: 'missing' }), null);
  await client.state.save({ storeName: STATE, states: [{ key: 'b', value: '2' }, { key: 'c', value: '3' }] });
  const items = await client.state.getBulk({ storeName: STATE, keys: ['a', 'b', 'c', 'missing'] });
  assert.deepEqual(items.filter((i) => i.value.length).map((i) => text(i.value)).sort(), ['2', '3', 'one']);
  await client.state.executeTransaction({
    storeName: STATE,
    operations: [
      { operationType: 'upsert', request: { key: 'd', value: '4' } },
      { operationType: 'delete', request: { key: 'b' } },
    ],
  });
  assert.equal(text((await client.state.get({ storeName: STATE, key: 'd' })).value), '4');
  assert.equal(await client.state.get({ storeName: STATE, key: 'b' }), null);
  await client.state.delete({ storeName: STATE, key: 'a' });
  await client.state.deleteBulk({ storeName: STATE, states: [{ key: 'c' }, { key: 'd' }] });
  assert.equal(await client.state.get({ storeName: STATE, key: 'c' }), null);
  await assert.rejects(client.state.get({ storeName: 'nowhere', key: 'a' }), /state store nowhere is not found/);
}

async function lock(client) {
  const mine = { storeName: LOCK, resourceId: 'r', lockOwner: 'me' };
  assert.equal(await client.lock.tryLock({ ...mine, expire: 30 }), true);
  assert.equal(await client.lock.tryLock({ ...mine, lockOwner: 'you', expire: 30 }), false);
  assert.equal((await client.lock.unLock({ ...mine, lockOwner: 'you' })).status, 2);
  assert.equal((await client.lock.unLock(mine)).status, 0);
  assert.equal((await client.lock.unLock(mine)).status, 1);
}

async function sequencer(client) {
  const first = await client.sequencer.getNextId({ storeName: SEQUENCER, key: 'ids' });
  const second = await client.sequencer.getNextId({ storeName: SEQUENCER, key: 'ids' });
  assert.ok(BigInt(second) > BigInt(first), `${first} then ${second}`);
}

async function events(client, received) {
  await client.pubsub.publish({ pubsubName: PUBSUB, topic: 'news', data: { hello: 'world' } });
  const event = await Promise.race([
    received,
    new Promise((_, fail) => setTimeout(() => fail(new Error('no event came')), 10000)),
  ]);
  assert.deepEqual(event, { hello: 'world' });
}

async function main() {
  const server = new Server(callbackPort);
  const received = new Promise((done) => server.pubsub.subscribe(PUBSUB, 'news', async (data) => done(data)));
  // The handler alone is not announced in ListTopicSubscriptions.
  server.pubsub.addPubSubSubscription(PUBSUB, 'news');
  await server.start();
  const client = new Client(runtimePort, '127.0.0.1');
  for (const [name, part] of Object.entries({ state, lock, sequencer })) {
    await part(client);
    console.log(`${name}: ok`);
  }
  await events(client, received);
  console.log('pubsub: ok');
}

main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
