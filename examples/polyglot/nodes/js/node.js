// Greets in JavaScript.

export const greeter = {
  async greet(name) {
    return `hello, ${name}, from JavaScript`;
  },
};
