/** The menu of the generated merchants, and notes about it. Prices are in cents. */

export interface Dish {
  name: string;
  price: number;
  /** Sold by measure: the price is that of one such unit. */
  unitName?: string;
}

export const MAINS: readonly Dish[] = [
  { name: 'Cheeseburger', price: 1450 },
  { name: 'Margherita pizza', price: 1395 },
  { name: 'Moules marinières', price: 1875 },
  { name: 'Jalapeño tacos', price: 1325 },
  { name: 'Pad thai', price: 1480 },
  { name: 'Crème fraîche chicken', price: 1690 },
  { name: 'Phở bò', price: 1550 },
  { name: 'Ribeye steak 12 oz', price: 3650 },
  { name: 'Caesar salad', price: 1195 },
  { name: '餃子 gyoza (6)', price: 925 },
];

export const SIDES: readonly Dish[] = [
  { name: 'French fries', price: 495 },
  { name: 'Onion rings', price: 575 },
  { name: 'Soup of the day', price: 650 },
  { name: 'Garlic bread', price: 525 },
  { name: 'Crème brûlée', price: 795 },
  { name: 'Cheesecake', price: 745 },
];

export const DRINKS: readonly Dish[] = [
  { name: 'Espresso', price: 325 },
  { name: 'Café au lait', price: 425 },
  { name: 'Iced tea', price: 350 },
  { name: 'Lemonade', price: 395 },
  { name: 'House red, glass', price: 950 },
  { name: 'Kölsch 0.3 l', price: 725 },
  { name: 'Sparkling water', price: 375 },
];

export const BAKED: readonly Dish[] = [
  { name: 'Croissant', price: 375 },
  { name: 'Blueberry muffin', price: 350 },
  { name: 'Bagel with cream cheese', price: 525 },
  { name: 'Turkey sandwich', price: 995 },
];

export const MEASURED: readonly Dish[] = [
  { name: 'Gruyère', price: 2499, unitName: 'lb' },
  { name: 'Jamón ibérico', price: 8999, unitName: 'lb' },
  { name: 'Coffee beans', price: 1799, unitName: 'lb' },
  { name: 'Olive oil on tap', price: 215, unitName: 'oz' },
];

export const MENU: readonly Dish[] = [...MAINS, ...SIDES, ...DRINKS, ...BAKED, ...MEASURED];

/** Quotes, backslashes, line breaks and characters of two to four bytes, as tills really hold them. */
export const LINE_NOTES = [
  'no onions',
  'allergy: nuts 🥜',
  'extra spicy 🌶️🌶️',
  'guest says "well done"',
  'half/half \\ sauce on the side',
  'to share\n2 plates',
  'sans gluten, s’il vous plaît',
] as const;

export const ORDER_NOTES = [
  'Birthday 🎂 candle with dessert',
  'Reservation: Zoë Müller-Łukasiewicz',
  '予約: 山田様 🍣',
  'Asked for the "quiet corner"\nby the window',
  'Voucher C:\\promo\\spring',
  'Loyalty guest 👩🏽‍🍳',
] as const;
