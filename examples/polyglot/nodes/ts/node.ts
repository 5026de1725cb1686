// Greets in TypeScript.

interface Greeter {
  greet(name: string): Promise<string>;
}

export const greeter: Greeter = {
  async greet(name: string): Promise<string> {
    return `hello, ${name}, from TypeScript`;
  },
};
