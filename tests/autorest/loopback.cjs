// Preloaded into the test server, which listens on every interface and has no option for that: keeps it on
// loopback, and says which port it got.
const { Server } = require("node:net");

const listen = Server.prototype.listen;
Server.prototype.listen = function (port, ...rest) {
  this.once("listening", () => console.log(`listening on http://127.0.0.1:${this.address().port}`));
  return listen.call(this, { host: "127.0.0.1", port: Number(port) }, ...rest.filter((it) => typeof it === "function"));
};
