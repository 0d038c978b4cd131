export { Customer as Client } from "../models";
export * from "../store";
export function format(order: string, width?: number): string {
  return order;
}
