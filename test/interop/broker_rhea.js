// SPDX-License-Identifier: Apache-2.0
// broker_rhea.js PORT SCENARIO: one of the scenarios below against a broker; what happened is
// printed as one JSON value.
const rhea = require('rhea');
const [port, scenario] = process.argv.slice(2);
const container = rhea.create_container();
const connection = container.connect({ host: '127.0.0.1', port: Number(port), reconnect: false });
const seen = [];

function done(value) {
  console.log(JSON.stringify(value === undefined ? seen : value));
  connection.close();
}

function fail(why) {
  console.error(String(why));
  process.exit(1);
}

container.on('disconnected', (c) => { if (c.error) fail(c.error); });
container.on('connection_error', (c) => fail(c.connection.error));
setTimeout(() => fail('not done in time: ' + JSON.stringify(seen)), 60000).unref();

const scenarios = {
  // A thousand messages there and back, credit by credit.
  thousand() {
    const sender = connection.open_sender('q');
    let sent = 0, received = 0, accepted = 0;
    connection.open_receiver({ source: 'q', credit_window: 10 });
    container.on('sendable', () => {
      while (sender.sendable() && sent < 1000) sender.send({ body: sent++ });
    });
    const check = () => {
      if (received === 1000 && accepted === 1000) done({ received, accepted });
    };
    container.on('accepted', () => { accepted++; check(); });
    container.on('message', (c) => {
      if (c.message.body !== received) fail(`${c.message.body} instead of ${received}`);
      received++;
      check();
    });
  },

  // Each way to settle, and what comes of it.
  outcomes() {
    const ways = [
      (d) => d.release({ delivery_failed: true }), (d) => d.release(),
      (d) => d.modified({ delivery_failed: true }), (d) => d.reject({ condition: 'x:y' })];
    const sender = connection.open_sender('q');
    connection.open_receiver({ source: 'q', autoaccept: false, credit_window: 1 });
    sender.on('sendable', () => { if (!seen.length) sender.send({ body: 'a' }); });
    container.on('message', (c) => {
      seen.push([c.message.body, c.message.delivery_count || 0]);
      if (c.message.body === 'b') {
        c.delivery.accept();
        done();
        return;
      }
      const way = ways.shift();
      way(c.delivery);
      if (!ways.length) sender.send({ body: 'b' });
    });
  },

  // "Not here" moves a message to the other receiver.
  undeliverable_here() {
    const sender = connection.open_sender('q');
    const a = connection.open_receiver({ source: 'q', name: 'a', autoaccept: false });
    a.on('message', (c) => {
      seen.push('a');
      c.delivery.modified({ delivery_failed: true, undeliverable_here: true });
      connection.open_receiver({ source: 'q', name: 'b' }).on('message', (d) => {
        seen.push('b', d.message.delivery_count);
        done();
      });
    });
    sender.once('sendable', () => sender.send({ body: 'x' }));
  },

  // Through a sender without a target.
  relay() {
    const sender = connection.open_sender({ target: {} });
    connection.open_receiver({ source: { dynamic: true } }).on('receiver_open', (c) => {
      sender.send({ to: c.receiver.source.address, body: 'x' });
      sender.send({ to: 'nobody', body: 'x' });
      sender.send({ body: 'x' });
    });
    for (const outcome of ['accepted', 'released', 'rejected']) {
      sender.on(outcome, () => {
        seen.push(outcome);
        if (seen.length === 4) done(seen.sort());
      });
    }
    container.on('message', (c) => {
      seen.push(c.message.body);
      if (seen.length === 4) done(seen.sort());
    });
  },

  // Whatever there is, and then the end.
  drain() {
    const sender = connection.open_sender('q');
    let accepted = 0;
    sender.once('sendable', () => { for (let i = 0; i < 3; i++) sender.send({ body: i }); });
    sender.on('accepted', () => {
      if (++accepted < 3) return;
      const receiver = connection.open_receiver({ source: 'q', credit_window: 0 });
      receiver.on('receiver_open', () => {
        receiver.drain = true;
        receiver.add_credit(100);
      });
      receiver.on('receiver_drained', () => done());
    });
    container.on('message', (c) => seen.push(c.message.body));
  },

  // Settled by the sender, at both links.
  settled() {
    const sender = connection.open_sender({ target: 'q', snd_settle_mode: 1 });
    connection.open_receiver({ source: 'q', snd_settle_mode: 1, autoaccept: false });
    sender.once('sendable', () => sender.send({ body: 'x' }));
    container.on('message', (c) => done([c.message.body, c.delivery.remote_settled]));
  },

  // A subject to a topic, with a filter at the receiver.
  topic() {
    const filter = {
      f: rhea.types.wrap_described('news.*', 'apache.org:legacy-amqp-topic-binding:string') };
    connection.open_receiver({ source: { address: 'amq.topic', filter } });
    const sender = connection.open_sender('amq.topic');
    for (const outcome of ['accepted', 'released']) {
      sender.on(outcome, () => { seen.push(outcome); if (seen.length === 3) done(seen.sort()); });
    }
    sender.once('sendable', () => {
      sender.send({ subject: 'news.a', body: 'x' });
      sender.send({ subject: 'news.a.b', body: 'y' });
    });
    container.on('message', (c) => {
      seen.push(c.message.body);
      if (seen.length === 3) done(seen.sort());
    });
  },

  // Refused links, while the connection goes on.
  refused() {
    connection.open_receiver('amq.nope');
    connection.open_sender('amq.nope');
    const next = (link) => {
      seen.push(link.error.condition);
      if (seen.length < 2) return;
      const sender = connection.open_sender('q');
      sender.once('sendable', () => sender.send({ body: 'x' }));
      sender.on('accepted', () => { seen.push('accepted'); done(); });
    };
    container.on('receiver_error', (c) => next(c.receiver));
    container.on('sender_error', (c) => next(c.sender));
  },

  // More than one frame holds, both ways.
  large() {
    const sender = connection.open_sender('q');
    connection.open_receiver('q');
    sender.once('sendable', () => sender.send({ body: Buffer.alloc(3000000, 'x') }));
    container.on('message', (c) => done(c.message.body.length));
  },
};

scenarios[scenario]();
