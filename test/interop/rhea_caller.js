// SPDX-License-Identifier: Apache-2.0
// rhea_caller.js PORT ADDRESS BODY [KIND]: sends BODY (JSON text) to ADDRESS with a dynamic reply queue as its
// `replyto`, prints each reply's body section kind and text, one JSON line each, ends after the last.
// KIND: string (default), binary or data.
const rhea = require('rhea');
const [port, address, text, kind] = process.argv.slice(2);
const container = rhea.create_container();

function section(s) {
  if (kind === 'binary') return rhea.types.wrap_binary(Buffer.from(s));
  if (kind === 'data') return rhea.message.data_section(Buffer.from(s));
  return s;
}

function seen(body) {
  if (typeof body === 'string') return { kind: 'string', text: body };
  if (Buffer.isBuffer(body)) return { kind: 'binary', text: body.toString() };
  if (body && body.typecode === 0x75) return { kind: 'data', text: Buffer.from(body.content).toString() };
  return { kind: typeof body, text: String(body) };
}

const connection = container.connect({ host: '127.0.0.1', port: Number(port), reconnect: false });
connection.open_receiver({ source: { dynamic: true } });
container.on('receiver_open', (c) => {
  const body = JSON.parse(text);
  body.replyto = c.receiver.source.address;
  connection.open_sender(address).send({ body: section(JSON.stringify(body)) });
});
container.on('message', (c) => {
  const reply = seen(c.message.body);
  reply.correlation_id = c.message.correlation_id;
  console.log(JSON.stringify(reply));
  const decoded = JSON.parse(reply.text);
  if (decoded.result || decoded.status === 'rejected') connection.close();
});
container.on('connection_error', (c) => { console.error(String(c.connection.error)); process.exit(1); });
container.on('disconnected', (c) => { if (c.error) { console.error(String(c.error)); process.exit(1); } });
