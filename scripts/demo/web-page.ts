/** The service in the demonstration's container: a page on port 80, both families, that greets its caller by address. */
import { createServer } from "node:http";

createServer((request, response) => {
  const caller = (request.socket.remoteAddress ?? "").replace(/^::ffff:/, "");
  response.end(`Hello ${caller}, this is the web container.\n`);
}).listen(80, "::", () => console.log("ready"));
