// Layotto's published client, unchanged, against Tandem's runtime API and callbacks.
// Usage: node layotto.js RUNTIME_PORT CALLBACK_PORT ECHO_PORT (STORES in the environment: see below).
// The mesh must lead the id `echo` to ECHO_PORT, and no other id anywhere.
'use strict';
const assert = require('node:assert');
const http = require('node:http');
const { Client, Server } = require('layotto');
const { HTTPExtension } = require('layotto/proto/runtime/v1/runtime_pb');

const [, , runtimePort, callbackPort, echoPort] = process.argv;
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

async function hello(client) {
  assert.equal(await client.hello.sayHello(), 'hello');
  assert.equal(await client.hello.sayHello({ name: 'you' }), 'hello, you');
  await assert.rejects(client.hello.sayHello({ serviceName: 'nobody' }), /no instance found/);
}

// Answers with what it was asked, in JSON; a text is answered with a text.
const echo = http.createServer((request, response) => {
  let body = '';
  request.on('data', (part) => { body += part; });
  request.on('end', () => {
    const type = request.headers['content-type'];
    const plain = type && type.startsWith('text/plain');
    response.setHeader('content-type', plain ? type : 'application/json');
    response.end(plain ? `you said ${body}` : JSON.stringify({
      method: request.method, url: request.url, host: request.headers.host, type, body,
      asked: request.headers['x-asked'],
    }));
  });
});

async function invoker(client) {
  await new Promise((done) => echo.listen(echoPort, '127.0.0.1', done));
  const { POST } = HTTPExtension.Verb;
  const said = await client.invoker.invoke({ id: 'echo', method: 'greet', httpVerb: POST, data: 'good morning' });
  assert.deepEqual(said, { contentType: 'text/plain', content: 'you said good morning' });
  const data = { apples: 2 };
  const asked = await client.invoker.invoke({ id: 'echo', method: '/cart', httpVerb: POST, data, requestMeta: { 'x-asked': 'yes' } });
  assert.deepEqual(asked, {
    contentType: 'application/json',
    content: { method: 'POST', url: '/cart', host: 'echo', type: 'application/json', body: '{"apples":2}', asked: 'yes' },
  });
  const bare = await client.invoker.invoke({ id: 'echo', method: '/cart' });
  assert.equal(bare.content.method, 'GET');
  assert.equal(bare.content.body, '');
  const unavailable = 14;
  await assert.rejects(
    client.invoker.invoke({ id: 'nobody', method: '/cart', httpVerb: POST, data }),
    (error) => error.code === unavailable && /http response code 404/.test(error.details),
  );
  echo.close();
}

// The events of `server` as they come. A handler alone is not announced in
// ListTopicSubscriptions; announced without a handler, the server answers DROP.
function subscribe(server, dropped) {
  const topics = { plain: [], failing: [] };
  server.pubsub.subscribe(PUBSUB, 'plain', async (data) => { topics.plain.push(data); });
  // Thrown errors are answered with RETRY.
  server.pubsub.subscribe(PUBSUB, 'failing', async (data, { id }) => {
    topics.failing.push(id);
    if (topics.failing.length < 3) throw new Error('not yet');
  });
  for (const topic of ['plain', 'failing', 'unwanted']) server.pubsub.addPubSubSubscription(PUBSUB, topic);
  return { ...topics, dropped };
}

async function until(what, condition) {
  for (const deadline = Date.now() + 15000; !condition();) {
    assert.ok(Date.now() < deadline, `never: ${what}`);
    await new Promise((again) => setTimeout(again, 5));
  }
}

async function pubsub(client, events) {
  const publish = (topic) => client.pubsub.publish({ pubsubName: PUBSUB, topic, data: { about: topic } });
  await publish('unwanted');
  await publish('plain');
  await until('an event', () => events.plain.length === 1);
  assert.deepEqual(events.plain, [{ about: 'plain' }]);
  await until('DROP', () => events.dropped.length === 1);
  await publish('failing');
  await until('a third try', () => events.failing.length === 3);
  assert.equal(new Set(events.failing).size, 1, 'it is the same event');
  // Tried again, the dropped one would have come before the third try of the later one.
  assert.equal(events.dropped.length, 1);
  assert.equal(events.plain.length, 1);
}

async function main() {
  const dropped = [];
  const logger = {
    ...console,
    warn: (text) => { if (text.includes('drop it')) dropped.push(text); },
    // The handler's errors are meant.
    error() {},
  };
  const server = new Server(callbackPort, undefined, { logger });
  const events = subscribe(server, dropped);
  await server.start();
  const client = new Client(runtimePort, '127.0.0.1');
  for (const [name, part] of Object.entries({ hello, invoker, state, lock, sequencer, pubsub })) {
    await part(client, events);
    console.log(`${name}: ok`);
  }
}

main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
