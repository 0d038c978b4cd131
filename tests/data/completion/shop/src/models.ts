export interface Address {
  street: string;
  city: string;
}

export type Point = { x: number; y: number };

export type Audience = Customer | string;

export enum Level {
  Basic,
  Gold,
}

export class Entity {
  id = "";
  touch(): this {
    return this;
  }
}

export class Customer extends Entity {
  static created = 0;
  tags: string[] = [];
  address?: Address;
  private secret = 1;

  constructor(public name: string, readonly level: Level) {
    super();
  }

  static create(name: string): Customer {
    return new Customer(name, Level.Basic);
  }

  get initials(): string {
    return this.name[0];
  }

  orders(): Order[] {
    return [];
  }
}

export class Order {
  lines: Map<string, Line> = new Map();
  customer!: Customer;
  total(): number {
    return 0;
  }
  first(): Line | undefined {
    return undefined;
  }
}

export interface Line {
  product: string;
  quantity: number;
}
