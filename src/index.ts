export { HandfastError } from "#kernel/errors.js";
