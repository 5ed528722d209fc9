"""Web pages to text: their encoding, their main content, and the text or Markdown of it."""
