// An OpenID Connect provider: `node provider.js PORT REDIRECT ACCOUNTS`. The accounts are read
// from a JSON file, {name: [groups]}, whenever one is asked for.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import Provider from "oidc-provider";

const [port, redirect, accounts] = process.argv.slice(2);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: "tiltyard",
      client_secret: "a secret of the test's",
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: [redirect],
      token_endpoint_auth_method: "client_secret_post",
    },
  ],
  claims: { openid: ["sub"], profile: ["preferred_username"], groups: ["groups"] },
  scopes: ["openid", "profile", "groups", "offline_access"],
  findAccount(context, id) {
    const groups = JSON.parse(readFileSync(accounts, "utf8"))[id];
    if (groups === undefined) return undefined;
    return { accountId: id, claims: () => ({ sub: id, preferred_username: id, groups }) };
  },
  issueRefreshToken: () => true,
  // Short, so that the refresh token is needed within the test.
  ttl: { AccessToken: 3, RefreshToken: 600, Session: 600, Grant: 600, Interaction: 600, IdToken: 600 },
});

createServer(provider.callback()).listen(Number(port), "127.0.0.1", () => console.log("ready"));
