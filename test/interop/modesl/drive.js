// Drives a switch with modesl, as an inbound and as an outbound client, and ends
// with status 0 when everything was as it should be.
//
//   node drive.js inbound  HOST PORT PASSWORD
//   node drive.js outbound HOST PORT PASSWORD LISTENPORT
//   node drive.js refused  HOST PORT PASSWORD
'use strict';
const assert = require('node:assert');
const esl = require('modesl');

const [mode, host, port, password, listen] = process.argv.slice(2);
const overdue = setTimeout(() => fail(new Error('nothing happened for 15 s')), 15000);

function fail(err) {
  console.error(err && err.stack || err);
  process.exit(1);
}
process.on('unhandledRejection', fail);
process.on('uncaughtException', fail);

function done() {
  clearTimeout(overdue);
  console.log('ok');
  process.exit(0);
}

// api runs a command and gives its output.
const api = (conn, command) => new Promise((resolve) => conn.api(command, (res) => resolve(res.getBody())));

// record keeps the events of one call in the order in which they come; at() waits
// for one of them.
function record(conn, uuid) {
  const seen = [];
  const waiting = [];
  conn.on('esl::event::**', (e) => {
    if (!e || !e.getHeader || e.getHeader('Unique-ID') !== uuid) return;
    const name = e.getHeader('Event-Name');
    if (!name) return;
    seen.push(name);
    for (const w of waiting.filter((w) => w.name === name)) {
      waiting.splice(waiting.indexOf(w), 1);
      w.resolve(e);
    }
  });
  return { seen, at: (name) => new Promise((resolve) => waiting.push({ name, resolve })) };
}

// inOrder checks that all names were seen, in this order.
function inOrder(seen, names) {
  let from = 0;
  for (const name of names) {
    const i = seen.indexOf(name, from);
    assert(i >= 0, `no ${name} after ${names[names.indexOf(name) - 1]} in ${seen.join(' ')}`);
    from = i + 1;
  }
}

const connect = () => new Promise((resolve, reject) => {
  const conn = new esl.Connection(host, Number(port), password, () => resolve(conn));
  conn.on('error', reject);
});

const subscribe = (conn) => new Promise((resolve) => conn.events('json', 'all', resolve));

async function inbound() {
  const conn = await connect();
  assert.match(await api(conn, 'status'), /^UP /);
  await subscribe(conn);

  const uuid = (await api(conn, 'create_uuid')).trim();
  const call = record(conn, uuid);
  const parked = call.at('CHANNEL_PARK');
  const job = await new Promise((resolve) =>
    conn.bgapi('originate', `{origination_uuid=${uuid},who='Zoë at home'}loopback/9196/default &park()`, resolve));
  assert.strictEqual(job.getBody(), `+OK ${uuid}\n`);
  const park = await parked;
  assert.strictEqual(park.getHeader('variable_who'), 'Zoë at home');

  const ran = await new Promise((resolve) => conn.execute('set', 'colour=deep blue', uuid, resolve));
  assert.strictEqual(ran.getHeader('Application'), 'set');
  assert.strictEqual(ran.getHeader('variable_colour'), 'deep blue');

  await new Promise((resolve, reject) => conn.show('channels', (err, list) => {
    if (err) return reject(err);
    assert(list.rows.some((row) => row.uuid === uuid), 'show channels does not list the call');
    resolve();
  }));

  const complete = call.at('CHANNEL_HANGUP_COMPLETE');
  const gone = call.at('CHANNEL_DESTROY');
  assert.strictEqual(await api(conn, `uuid_kill ${uuid} CALL_REJECTED`), '+OK\n');
  assert.strictEqual((await complete).getHeader('Hangup-Cause'), 'CALL_REJECTED');
  await gone;
  inOrder(call.seen, ['CHANNEL_CREATE', 'CHANNEL_ORIGINATE', 'CHANNEL_ANSWER', 'CHANNEL_EXECUTE', 'CHANNEL_PARK',
    'CHANNEL_EXECUTE', 'CHANNEL_EXECUTE_COMPLETE', 'CHANNEL_HANGUP', 'CHANNEL_UNPARK', 'CHANNEL_EXECUTE_COMPLETE',
    'CHANNEL_HANGUP_COMPLETE', 'CHANNEL_DESTROY']);
  done();
}

async function outbound() {
  const served = new Promise((resolve, reject) => {
    const server = new esl.Server({ port: Number(listen), host: '127.0.0.1', myevents: true }, async () => {
      const conn = await connect();
      const out = await api(conn, `originate loopback/socket-${listen}/interop &park()`);
      if (!out.startsWith('+OK ')) reject(new Error(`originate said ${out}`));
    });
    server.on('connection::ready', (conn) => serve(conn).then(resolve, reject));
  });
  await served;
  done();
}

// serve handles the call that the switch brought to us.
async function serve(conn) {
  const info = conn.getInfo();
  assert.strictEqual(info.getHeader('Caller-Destination-Number'), `socket-${listen}`);
  const execute = (app, arg) => new Promise((resolve) => conn.execute(app, arg, resolve));
  assert.strictEqual((await execute('answer', '')).getHeader('Answer-State'), 'answered');
  const played = await execute('playback', 'silence_stream://100');
  assert.strictEqual(played.getHeader('Application-Response'), 'FILE PLAYED');
  assert.strictEqual((await execute('set', 'taste=sweet')).getHeader('variable_taste'), 'sweet');
  const ended = new Promise((resolve) => conn.on('esl::end', resolve));
  conn.execute('hangup', 'USER_BUSY');
  await ended;
}

function refused() {
  const conn = new esl.Connection(host, Number(port), password);
  conn.on('error', fail);
  conn.on('esl::event::auth::fail', (e) => {
    assert.strictEqual(e.getHeader('Reply-Text'), '-ERR invalid');
    conn.on('esl::end', done);
  });
  conn.on('esl::event::auth::success', () => fail(new Error('a wrong password was accepted')));
}

({ inbound, outbound, refused })[mode]();
