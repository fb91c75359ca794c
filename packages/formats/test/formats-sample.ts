/**
 * Lines of `tillroll-server seed`: together they have every member that it ever generates. The client
 * must not import the service, not even here.
 */
export const SAMPLE_ORDERS = [
  String.raw`{"id":"29Y59AP6BBVWT","currency":"USD","employee":{"id":"X6SN53Q91B38G"},"device":{"id":"PBDQD3GV7R63G"},"orderType":{"id":"NNEK8D2PTPJQD","label":"To Go"},"total":460,"state":"locked","paymentState":"PAID","payType":"FULL","taxRemoved":false,"isVat":false,"manualTransaction":false,"groupLineItems":true,"testMode":false,"createdTime":1768049961957,"modifiedTime":1768049979471,"lineItems":{"elements":[{"id":"F9B7KDF551BAM","orderRef":{"id":"29Y59AP6BBVWT"},"item":{"id":"W1Q6HBRMP67V4"},"name":"Café au lait","price":425,"createdTime":1768049962633,"refunded":false,"isRevenue":true}]},"payments":{"elements":[{"id":"BSQ5GQT4KXN2T","amount":460,"taxAmount":35,"createdTime":1768049979471,"modifiedTime":1768100400000,"result":"SUCCESS"}]},"note":"予約: 山田様 🍣"}`,
  String.raw`{"id":"0ZTHTQFC6345N","currency":"USD","employee":{"id":"XNNWENZXGJ5WT"},"device":{"id":"PBDQD3GV7R63G"},"orderType":{"id":"NNEK8D2PTPJQD","label":"To Go"},"total":460,"state":"locked","paymentState":"PAID","payType":"FULL","taxRemoved":false,"isVat":false,"manualTransaction":false,"groupLineItems":true,"testMode":false,"createdTime":1768987774183,"modifiedTime":1768987804070,"lineItems":{"elements":[{"id":"7T0B66S5WCB35","orderRef":{"id":"0ZTHTQFC6345N"},"item":{"id":"VC92080EFS2ET"},"name":"Kölsch 0.3 l","price":725,"createdTime":1768987775956,"refunded":false,"isRevenue":true}]},"payments":{"elements":[{"id":"2PWMX2PKX7Z6S","amount":460,"taxAmount":35,"createdTime":1768987804070,"modifiedTime":1769050800000,"result":"SUCCESS"}]},"discounts":{"elements":[{"id":"E4SYXEMXV0V6H","name":"Voucher $3","amount":-300}]}}`,
  String.raw`{"id":"1D7QKSEZZG1GR","currency":"USD","employee":{"id":"XNNWENZXGJ5WT"},"device":{"id":"YNKSND1W8VQGG"},"orderType":{"id":"NNEK8D2PTPJQD","label":"To Go"},"total":316,"state":"open","paymentState":"PAID","payType":"FULL","taxRemoved":false,"isVat":false,"manualTransaction":false,"groupLineItems":true,"testMode":false,"createdTime":1767617571807,"modifiedTime":1767617605269,"lineItems":{"elements":[{"id":"EWQVWPBK3HVHZ","orderRef":{"id":"1D7QKSEZZG1GR"},"item":{"id":"X1Y78ZEK9Q34H"},"name":"Espresso","price":325,"createdTime":1767617573723,"refunded":false,"isRevenue":true}]},"payments":{"elements":[{"id":"AK4HKDHWA1MCQ","amount":316,"taxAmount":24,"createdTime":1767617605269,"modifiedTime":1767668400000,"result":"SUCCESS","tipAmount":0}]},"discounts":{"elements":[{"id":"49RTZ153YY1ZE","name":"Happy hour","percentage":10}]}}`,
  String.raw`{"id":"BZV5WG018KKBH","currency":"USD","employee":{"id":"PFQF93GN3E60Q"},"device":{"id":"PBDQD3GV7R63G"},"orderType":{"id":"NNEK8D2PTPJQD","label":"To Go"},"total":406,"state":"locked","paymentState":"PAID","payType":"FULL","taxRemoved":false,"isVat":false,"manualTransaction":false,"groupLineItems":true,"testMode":false,"createdTime":1768549019130,"modifiedTime":1768549030889,"lineItems":{"elements":[{"id":"B64KWV2BJK3X8","orderRef":{"id":"BZV5WG018KKBH"},"item":{"id":"JQHRQ2TX41ABW"},"name":"Lemonade","price":395,"createdTime":1768549019735,"refunded":false,"isRevenue":true,"discounts":{"elements":[{"id":"3XRFCFY3F7EJZ","name":"Happy hour","percentage":5}]}}]},"payments":{"elements":[{"id":"5FZKT8JDSD55D","amount":406,"taxAmount":31,"createdTime":1768549030889,"modifiedTime":1768618800000,"result":"SUCCESS","tipAmount":0}]}}`,
  String.raw`{"id":"FAZSQ5CQ19Y7E","currency":"USD","employee":{"id":"GSFE4QK04Y5GQ"},"device":{"id":"PBDQD3GV7R63G"},"orderType":{"id":"NNEK8D2PTPJQD","label":"To Go"},"total":428,"state":"locked","paymentState":"PAID","payType":"FULL","taxRemoved":false,"isVat":false,"manualTransaction":false,"groupLineItems":true,"testMode":false,"createdTime":1768590733989,"modifiedTime":1768594273420,"lineItems":{"elements":[{"id":"7Z4G8EW211635","orderRef":{"id":"FAZSQ5CQ19Y7E"},"item":{"id":"JQHRQ2TX41ABW"},"name":"Lemonade","price":395,"createdTime":1768590735907,"refunded":false,"isRevenue":true}]},"payments":{"elements":[{"id":"D7FTGCN6BQSY2","amount":428,"taxAmount":33,"createdTime":1768590744828,"modifiedTime":1768618800000,"result":"SUCCESS","tipAmount":107}]},"refunds":{"elements":[{"id":"669X2439JKGXE","amount":179,"taxAmount":14,"createdTime":1768594273420,"payment":{"id":"D7FTGCN6BQSY2"}}]}}`,
  String.raw`{"id":"1XFD8VS0562HZ","currency":"USD","employee":{"id":"GSFE4QK04Y5GQ"},"device":{"id":"PBDQD3GV7R63G"},"orderType":{"id":"NNEK8D2PTPJQD","label":"To Go"},"total":28210,"state":"locked","paymentState":"PAID","payType":"FULL","taxRemoved":false,"isVat":false,"manualTransaction":false,"groupLineItems":true,"testMode":false,"createdTime":1768414605568,"modifiedTime":1768414628395,"lineItems":{"elements":[{"id":"1ZTH3CY3HZHZ2","orderRef":{"id":"1XFD8VS0562HZ"},"item":{"id":"JQHRQ2TX41ABW"},"name":"Lemonade","price":395,"createdTime":1768414605619,"refunded":false,"isRevenue":true},{"id":"1H7HR4J0QCVZP","orderRef":{"id":"1XFD8VS0562HZ"},"item":{"id":"XRE02SABDGFGP"},"name":"Jamón ibérico","price":8999,"createdTime":1768414606730,"refunded":false,"isRevenue":true,"unitName":"lb","unitQty":2852}]},"payments":{"elements":[{"id":"EJ7SJA1FZTAY6","amount":28210,"taxAmount":2150,"createdTime":1768414628395,"modifiedTime":1768446000000,"result":"SUCCESS"}]}}`,
  String.raw`{"id":"6AVF9WRD4AVKY","currency":"USD","employee":{"id":"PFQF93GN3E60Q"},"device":{"id":"YNKSND1W8VQGG"},"orderType":{"id":"PH7J9HETFR117","label":"Dine In"},"total":11413,"state":"locked","paymentState":"PAID","payType":"FULL","taxRemoved":false,"isVat":false,"manualTransaction":false,"groupLineItems":true,"testMode":false,"createdTime":1768743303262,"modifiedTime":1768748908377,"lineItems":{"elements":[{"id":"39VQ6TPMZ4KQW","orderRef":{"id":"6AVF9WRD4AVKY"},"item":{"id":"REZGRNNFQ4S08"},"name":"餃子 gyoza (6)","price":925,"createdTime":1768743322277,"refunded":false,"isRevenue":true},{"id":"447B4D6QZMT4J","orderRef":{"id":"6AVF9WRD4AVKY"},"item":{"id":"SPPV32ZQHVM37"},"name":"Margherita pizza","price":1395,"createdTime":1768743447779,"refunded":false,"isRevenue":true},{"id":"EB2SE86N8N67K","orderRef":{"id":"6AVF9WRD4AVKY"},"item":{"id":"REZGRNNFQ4S08"},"name":"餃子 gyoza (6)","price":925,"createdTime":1768743986366,"refunded":false,"isRevenue":true},{"id":"D1X95QFFMF0XH","orderRef":{"id":"6AVF9WRD4AVKY"},"item":{"id":"RK460884KKZJR"},"name":"Phở bò","price":1550,"createdTime":1768744278196,"refunded":false,"isRevenue":true,"discounts":{"elements":[{"id":"9PKY042XRXEM7","name":"Voucher $2","amount":-200}]}},{"id":"F551DFJJHGEP6","orderRef":{"id":"6AVF9WRD4AVKY"},"item":{"id":"NE6B9WF8WQE12"},"name":"House red, glass","price":950,"createdTime":1768744835890,"refunded":false,"isRevenue":true},{"id":"FQ44SNX0Y15H0","orderRef":{"id":"6AVF9WRD4AVKY"},"item":{"id":"W7ERXPX7YCDF0"},"name":"Jalapeño tacos","price":1325,"createdTime":1768745232743,"refunded":false,"isRevenue":true,"note":"sans gluten, s’il vous plaît"},{"id":"0PEBFVKJDHMB9","orderRef":{"id":"6AVF9WRD4AVKY"},"item":{"id":"PC93A2GHFACNJ"},"name":"Iced tea","price":350,"createdTime":1768745337523,"refunded":false,"isRevenue":true},{"id":"D5X1V42WH371K","orderRef":{"id":"6AVF9WRD4AVKY"},"item":{"id":"PFEWSE5GSTDXZ"},"name":"French fries","price":495,"createdTime":1768745438166,"refunded":false,"isRevenue":true},{"id":"57347EVCFHBZN","orderRef":{"id":"6AVF9WRD4AVKY"},"item":{"id":"W7ERXPX7YCDF0"},"name":"Jalapeño tacos","price":1325,"createdTime":1768745492215,"refunded":false,"isRevenue":true},{"id":"C9EP92BDJ4PBB","orderRef":{"id":"6AVF9WRD4AVKY"},"name":"Auto gratuity 18%","price":1627,"createdTime":1768745492215,"refunded":false,"isRevenue":false,"isOrderFee":true}]},"payments":{"elements":[{"id":"DBA2TGCXKSCRR","amount":11413,"taxAmount":746,"createdTime":1768748908377,"modifiedTime":1768791600000,"result":"SUCCESS","tipAmount":0}]},"title":"Table 6"}`,
];

export const SAMPLE_PAYMENTS = [
  String.raw`{"id":"E9E1PRZ524HRE","order":{"id":"E6TP1B73CYV04"},"device":{"id":"YNKSND1W8VQGG"},"employee":{"id":"W202DM0NGEVS6"},"currency":"USD","amount":861,"taxAmount":66,"taxRates":{"elements":[{"id":"G7J0MJ35A7QS8","name":"TX sales tax","rate":825000,"taxAmount":66}]},"createdTime":1767783687254,"clientCreatedTime":1767783687254,"modifiedTime":1767841200000,"offline":false,"result":"SUCCESS","tender":{"id":"RD7PN51NQ5VGR","label":"Cash","labelKey":"com.clover.tender.cash"},"cashTendered":1000,"refunds":{"elements":[{"id":"B9D5WSHYERKK0","amount":861,"taxAmount":66,"createdTime":1767784571408,"payment":{"id":"E9E1PRZ524HRE"}}]}}`,
  String.raw`{"id":"8RQZJTQNYRED5","order":{"id":"53ZDB0E484MG3"},"device":{"id":"PBDQD3GV7R63G"},"employee":{"id":"X6SN53Q91B38G"},"currency":"USD","amount":406,"taxAmount":31,"taxRates":{"elements":[{"id":"G7J0MJ35A7QS8","name":"TX sales tax","rate":825000,"taxAmount":31}]},"createdTime":1767268363561,"clientCreatedTime":1767268363561,"modifiedTime":1767322800000,"offline":false,"result":"SUCCESS","tipAmount":0,"tender":{"id":"SF7HXFGQ5D7S5","label":"Debit Card","labelKey":"com.clover.tender.debit_card"},"cardTransaction":{"cardType":"MC","entryType":"SWIPED","last4":"7472","type":"AUTH","authCode":"702653","referenceId":"000932512867","state":"CLOSED"}}`,
];

/** Generated trade has no modifications. */
export const ORDER_WITH_MODIFICATIONS = {
  id: '5Q1J0F7XKHTQ2',
  createdTime: 1_768_743_303_262,
  modifiedTime: 1_768_748_908_377,
  lineItems: {
    elements: [
      {
        id: '39VQ6TPMZ4KQW',
        name: 'Espresso',
        discounts: {
          elements: [{ id: 'E4SYX', amount: -50, lineItemRef: { id: '39VQ6TPMZ4KQW' } }],
        },
        modifications: {
          elements: [
            {
              id: '9TMS0Q8GBKH8T',
              lineItemRef: { id: '39VQ6TPMZ4KQW' },
              name: 'Extra shot',
              alternateName: 'xs',
              amount: 75,
              modifier: { id: 'B0WYH7Y2KYYG2' },
            },
            { id: '9TMS0Q8GBKH8V', lineItemRef: { id: '39VQ6TPMZ4KQW' }, name: 'Oat milk' },
          ],
        },
      },
      {
        id: '447B4D6QZMT4J',
        name: 'Latte',
        modifications: {
          elements: [{ id: '9TMS0Q8GBKH8W', lineItemRef: { id: '39VQ6TPMZ4KQW' }, amount: 60 }],
        },
      },
    ],
  },
};
