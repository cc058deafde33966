// An application in strict TypeScript, on a client generated from the model's OpenAPI document.
import createClient from "openapi-fetch";
import type { components, paths } from "./generated/schema.js";

type Row = components["schemas"]["Row"];

const [url, token] = process.argv.slice(2) as [string, string];
const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${token}` } });

const row: Row = { hour: "2011-04-01T08:00:00Z", temp: 0.34, weathersit: "clear", holiday: 0 };
const answer = await client.POST("/models/rentals/predict", { body: { rows: [row, row] } });
if (answer.error) throw new Error(answer.error.error.message);
const first = answer.data.predictions[0];
if (first === undefined || first.value === null) throw new Error("no prediction");
const value: number = first.value;
const taken = await client.POST("/models/rentals/actuals", {
  body: { actuals: [{ id: first.id, value: 287 }] },
});
if (taken.error) throw new Error(taken.error.error.message);
const refused = await client.POST("/models/rentals/predict", {
  // @ts-expect-error a text is no temperature: the compiler knows it, and so does the gateway
  body: { rows: [{ ...row, temp: "warm" }] },
});
console.log(
  JSON.stringify({
    version: answer.data.version,
    predictions: answer.data.predictions.length,
    value,
    actuals: taken.response.status,
    refused: refused.response.status,
    why: refused.error?.error.message,
  }),
);
