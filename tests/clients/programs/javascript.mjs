// The clients in JavaScript: `typescript` is the official SDK, `vercel-ai` the AI SDK. Tasks come as lines of JSON.

import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [folder, which] = process.argv.slice(2);
const need = createRequire(join(folder, "anywhere.js"));

const MODEL = "claude-sonnet-5-5";
const KEY = "local";
const TEXT = "Where is my order?";
const STORY = "Tell me a story";
const TOOL = "Please use the tool weather for Seoul.";
const WEATHER = "Sunny, 21 degrees";
const SCHEMA = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const DESCRIPTION = "The weather in a city.";

const user = (content) => ({ role: "user", content });

function typescript() {
  const { Anthropic } = need("@anthropic-ai/sdk");
  const client = (task) => new Anthropic({ baseURL: task.url, apiKey: KEY, timeout: task.timeout * 1000 });
  const tools = [{ name: "weather", description: DESCRIPTION, input_schema: SCHEMA }];
  const take = (message, seen) => {
    seen.text = message.content.filter((block) => block.type === "text").map((block) => block.text).join("");
    seen.stop = message.stop_reason;
  };
  return {
    async text(task, seen) {
      take(await client(task).messages.create({ model: MODEL, max_tokens: 300, messages: [user(TEXT)] }), seen);
    },
    async stream(task, seen) {
      const events = client(task).messages.stream({ model: MODEL, max_tokens: 300, messages: [user(STORY)] });
      events.on("text", (piece) => {
        seen.text += piece;
        seen.pieces += 1;
      });
      seen.stop = (await events.finalMessage()).stop_reason;
    },
    async tool(task, seen) {
      const messages = [user(TOOL)];
      const ask = () => client(task).messages.create({ model: MODEL, max_tokens: 300, messages, tools });
      const asked = await ask();
      const call = asked.content.find((block) => block.type === "tool_use");
      messages.push({ role: "assistant", content: asked.content });
      messages.push(user([{ type: "tool_result", tool_use_id: call.id, content: WEATHER }]));
      take(await ask(), seen);
    },
  };
}

function vercelAi() {
  const { generateText, jsonSchema, stepCountIs, streamText, tool } = need("ai");
  const { createAnthropic } = need("@ai-sdk/anthropic");
  const model = (task) => createAnthropic({ baseURL: `${task.url}/v1`, apiKey: KEY })(MODEL);
  const weather = tool({
    description: DESCRIPTION,
    inputSchema: jsonSchema(SCHEMA),
    execute: async () => WEATHER,
  });
  const options = (task) => ({ model: model(task), maxOutputTokens: 300 });
  return {
    async text(task, seen) {
      const answer = await generateText({ ...options(task), prompt: TEXT });
      [seen.text, seen.stop] = [answer.text, answer.finishReason];
    },
    async stream(task, seen) {
      let failure;
      const onError = ({ error }) => (failure = error);
      const answer = streamText({ ...options(task), prompt: STORY, onError });
      for await (const piece of answer.textStream) {
        seen.text += piece;
        seen.pieces += 1;
      }
      if (failure) throw failure;
      seen.stop = await answer.finishReason;
    },
    async tool(task, seen) {
      const tools = { weather };
      const answer = await generateText({ ...options(task), prompt: TOOL, tools, stopWhen: stepCountIs(3) });
      [seen.text, seen.stop] = [answer.text, answer.finishReason];
    },
  };
}

const PACKAGES = { typescript: "@anthropic-ai/sdk", "vercel-ai": "ai" };
const turns = which === "typescript" ? typescript() : vercelAi();
const write = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

write({ version: need(join(folder, "node_modules", PACKAGES[which], "package.json")).version });
for await (const line of createInterface({ input: process.stdin })) {
  const task = JSON.parse(line);
  const seen = { text: "", pieces: 0, stop: null, error: null, status: null, message: "" };
  try {
    await turns[task.turn](task, seen);
  } catch (error) {
    const last = error.lastError ?? error;
    seen.error = error.constructor?.name ?? "Error";
    seen.status = last.status ?? last.statusCode ?? null;
    seen.message = String(error.message).slice(0, 500);
  }
  write(seen);
}
