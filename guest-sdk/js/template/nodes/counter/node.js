// A counter: keeps a sum.

let total = 0;

export const counter = {
  async add(n) {
    total += n;
    return total;
  },
};
